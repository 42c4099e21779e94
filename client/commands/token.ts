import type { Command } from 'commander';
import type { BookedToken, GatewayBooks } from '../../connectors/gateway-books.ts';
import { MillraceError } from '../../schema/errors.ts';
import { doneByPerson, gatewayOf, withGatewayBooks } from '../command-line/gateway.ts';
import { assignment, plainCommand, projectCommand, type JsonOption, type ProjectOptions } from '../command-line/options.ts';
import { outputOf } from '../command-line/output.ts';
import { openProject } from '../command-line/project.ts';
import { grantOf, missingClaims, type Asked } from '../command-line/token-grant.ts';
import { stateOf, tokensTable } from '../display/gateway-report.ts';
import { moment } from '../display/text.ts';
import { suggestion } from '../project/finding.ts';

interface CommonOptions extends ProjectOptions, JsonOption {}
interface CreateOptions extends CommonOptions, Asked {}

async function create(options: CreateOptions): Promise<void> {
  const output = outputOf(options);
  const tell = (text: string): void => void process.stderr.write(`${text}\n`);
  const project = await openProject(options);
  const gateway = gatewayOf(project);
  const grant = grantOf(gateway, options, new Date());
  const { newToken } = await import('../../gateway/access/tokens.ts');
  const { id, hash, token } = newToken();
  const { expiresAt, ...details } = grant;
  await withGatewayBooks(project, async (books) => {
    await books.createToken({ project: project.name, id, hash, ...grant });
    const allowed = { ...details, role: grant.role ?? null, expires: expiresAt?.toISOString() ?? null };
    await books.audit([doneByPerson(project.name, { action: 'token.create', target: id, details: allowed })]);
  });
  tell(
    `${grant.name}: ${grant.scopes.join(' ')}${grant.role === undefined ? '' : ` as ${grant.role}`}, ${expiresAt === undefined ? 'never expires' : `until ${moment(expiresAt)}`}.`,
  );
  for (const [claim, apis] of missingClaims(gateway.apis, grant)) {
    tell(
      `Rows of ${apis.join(', ')} go by the claim "${claim}", which it does not have: the gateway refuses it there (403). Give --claim ${claim}=…`,
    );
  }
  tell('The token is shown this once; the books hold its hash alone:');
  output.data({ token, id, ...grant });
  output.line(token);
}

async function list(options: CommonOptions): Promise<void> {
  const output = outputOf(options);
  const project = await openProject(options);
  const tokens = await withGatewayBooks(project, async (books) => await books.listTokens(project.name));
  const now = new Date();
  output.data(tokens.map((token) => ({ ...token, hash: undefined, state: stateOf(token, now) })));
  for (const line of tokens.length === 0 ? ['There are no tokens: millrace token create makes one.'] : tokensTable(tokens, now))
    output.line(line);
}

async function revoke(idOrName: string, options: CommonOptions): Promise<void> {
  const output = outputOf(options);
  const project = await openProject(options);
  const token = await withGatewayBooks(project, async (books) => {
    const found = await liveToken(books, project.name, idOrName);
    const revoked = await books.revokeToken(project.name, found.id);
    const entry = doneByPerson(project.name, { action: 'token.revoke', target: found.id, details: { name: found.name } });
    await books.audit([revoked ? entry : { ...entry, result: 'was not live' }]);
    return found;
  });
  output.data({ id: token.id, name: token.name });
  output.line(`${token.name} (${token.id}) is revoked: gateways refuse it within a second.`);
}

/** The one token of an id, or of a name. Throws `not-found` with the nearest, `config` when several have the name. */
async function liveToken(books: GatewayBooks, project: string, idOrName: string): Promise<BookedToken> {
  const now = new Date();
  const live = (await books.listTokens(project)).filter((token) => stateOf(token, now) === 'live');
  const found = live.filter(({ id, name }) => idOrName === id || idOrName === name || idOrName.startsWith(`mr_${id}_`));
  const [first, second] = found;
  if (first === undefined) {
    const nearest = suggestion(
      idOrName,
      live.flatMap(({ id, name }) => [name, id]),
    );
    throw new MillraceError('not-found', `There is no live token "${idOrName}".${nearest}`);
  }
  if (second === undefined) return first;
  throw new MillraceError(
    'config',
    `${found.length} tokens are called "${idOrName}": give the id, one of ${found.map(({ id }) => id).join(', ')}.`,
  );
}

const gathered =
  <Value>(parse: (text: string) => Value) =>
  (text: string, before: readonly Value[] = []): readonly Value[] => [...before, parse(text)];

/** `millrace token create|list|revoke` */
export const command = (): Command => {
  const examples = [
    'millrace token create --role support --claim region=emea --name helpdesk',
    'millrace token create --scope ingest:clicks --expires never',
    'millrace token list',
    'millrace token revoke helpdesk',
  ];
  const token = plainCommand('token', 'Makes, lists and revokes the tokens of those who call the gateway.', examples).exitOverride();
  const part = (name: string, summary: string, ...shown: readonly string[]): Command => {
    const own = projectCommand(`token ${name}`, summary, shown).name(name).exitOverride();
    token.addCommand(own);
    return own.option('--json', 'the result as JSON');
  };
  part('create', 'Makes a token and prints it once. Default: it reads the APIs and changes of its role.', ...examples.slice(0, 2))
    .option('--role <role>', 'a role of the APIs, which says what is seen')
    .option(
      '--claim <name=value>',
      'a claim that rows of roles go by; again for more, the same name again for a list',
      gathered(assignment),
    )
    .option(
      '--scope <scope>',
      'api, api:<name>, changes, ingest, ingest:<connection>, trigger:<name> or metrics; again for more',
      gathered((text) => text),
    )
    .option('--expires <duration>', 'how long it lives, as in 90d or 12h, or never', '90d')
    .option('--name <name>', 'what it is called in lists; default: its role')
    .action(create);
  part('list', 'Lists the tokens, with what they allow; never the tokens themselves.', 'millrace token list').action(list);
  part('revoke', 'Ends a token: gateways refuse it within a second.', 'millrace token revoke helpdesk')
    .argument('<id or name>', 'of a token that is live')
    .action(revoke);
  return token;
};
