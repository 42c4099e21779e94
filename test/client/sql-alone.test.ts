import assert from 'node:assert/strict';
import { whyNotAlone } from '../../client/project/sql-alone.ts';

describe('a condition on rows', () => {
  it('stays within the parentheses that are put around it', () => {
    const open = [
      'true) or (true',
      "x = '(' ) or (true",
      "a /* ' */ ) or ( /* ' */ b",
      'x = $a$ ) $a$ )',
      String.raw`x = E'a\\' ) or ('`,
      `x = E'a'\n'\\'' ) or ('b'`,
      'x = ")" ) or ("y"',
      '(x = 1',
      '-- (\n)',
    ];
    for (const sql of open) assert.equal(whyNotAlone(sql), 'has a parenthesis without its other', sql);
    assert.equal(whyNotAlone("x = 'it"), 'has a quote that is not closed');
    assert.equal(whyNotAlone('x = $a$ it'), 'has a quote that is not closed');
    assert.equal(whyNotAlone('x /* y /* z */'), 'has a comment that is not closed');
    assert.equal(whyNotAlone('true; DELETE FROM y'), 'has a semicolon');
  });

  it('may have parentheses, quotes and comments of its own', () => {
    const fine = [
      'region = NULL',
      "(a = ')' OR b = 'it''s;') AND c IN (1, 2)",
      String.raw`x = E'a\' ) or ('`,
      String.raw`x = 'a\'`,
      'a = $$ ) $$ AND b$c = 1',
      'x /* ( /* ; */ ) */ = 1 -- )',
      'a / 2 * 3 > 1 - 2',
    ];
    for (const sql of fine) assert.equal(whyNotAlone(sql), undefined, sql);
  });
});
