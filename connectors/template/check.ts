import { MillraceError } from '../../schema/errors.ts';
import type { Attempt, CheckReport } from '../connector.ts';
import type { RequestDeclaration, Template } from './declaration.ts';
import { missing, type Describing } from './describe.ts';
import { compileRequest } from './request.ts';
import { objectScope } from './scope.ts';

type Checking = Describing & { readonly template: Template };

const reported: ReadonlySet<string> = new Set(['auth', 'not-found', 'config']);

/** Asks for what shows that the credential works and that the object is there. */
export async function checkConnection(checking: Checking, attempt: Attempt): Promise<CheckReport> {
  const { template, declared } = checking;
  const { system } = template;
  const asked = [template.check, declared.check].filter((request) => request !== undefined);
  const warnings =
    asked.length === 0 ? ['nothing was asked, for nothing shows whether the credential works: give the connection a check'] : [];
  try {
    for (const request of asked) await ask(checking, request, attempt);
    return { system, problems: [], warnings };
  } catch (error) {
    if (!(error instanceof MillraceError) || !reported.has(error.code)) throw error;
    return { system, problems: [error.message], warnings };
  }
}

async function ask(checking: Checking, request: RequestDeclaration, attempt: Attempt): Promise<void> {
  const { client, declared, scope, where } = checking;
  const fill = compileRequest(request, { repeatable: true, expects: 'json-or-nothing' });
  const { status } = await client.request(fill(objectScope(scope)), attempt);
  if (status === 404 && request === declared.check) throw await missing(checking, attempt);
  if (status > 299) throw new MillraceError('config', `${where}: ${request.method} ${request.path} was answered with HTTP ${status}`);
}
