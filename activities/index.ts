import { createSendAlert } from './alert.ts';
import { createBuild } from './build.ts';
import { createCheckConnection } from './check-connection.ts';
import { createCheckPipeline } from './check-pipeline.ts';
import { createCheckSync } from './check-sync.ts';
import { createCleanUp } from './clean-up.ts';
import { createCommit } from './commit.ts';
import type { Dependencies } from './dependencies.ts';
import { createEndSync } from './end-sync.ts';
import { createExpand } from './expand.ts';
import { createExtract } from './extract.ts';
import { createFindPulse } from './find-pulse.ts';
import { createFindRun } from './find-run.ts';
import { createGiveUp } from './give-up.ts';
import { createReplayLetter } from './replay-webhook.ts';
import { createLoad } from './load.ts';
import { createPlanSync } from './plan-sync.ts';
import { createPlan } from './plan.ts';
import { createPollJobs } from './poll-jobs.ts';
import { createPrepare } from './prepare.ts';
import { createSendRows } from './send-rows.ts';
import { createTransform } from './transform.ts';
import { createFindStanding } from './watch.ts';
import { createBuryChange, createPostChanges } from './webhook.ts';

/** Every step that a workflow can ask for, over what the worker gives. */
export const createActivities = (deps: Dependencies) => ({
  expand: createExpand(deps),
  plan: createPlan(deps),
  prepare: createPrepare(deps),
  extract: createExtract(deps),
  transform: createTransform(deps),
  load: createLoad(deps),
  commit: createCommit(deps),
  giveUp: createGiveUp(deps),
  cleanUp: createCleanUp(deps),
  build: createBuild(deps),
  planSync: createPlanSync(deps),
  sendRows: createSendRows(deps),
  pollJobs: createPollJobs(deps),
  endSync: createEndSync(deps),
  findPulse: createFindPulse(deps),
  findRun: createFindRun(deps),
  checkConnection: createCheckConnection(deps),
  checkPipeline: createCheckPipeline(deps),
  checkSync: createCheckSync(deps),
  sendAlert: createSendAlert(deps),
  findStanding: createFindStanding(deps),
  postChanges: createPostChanges(deps),
  buryChange: createBuryChange(deps),
  replayLetter: createReplayLetter(deps),
});
export type Activities = ReturnType<typeof createActivities>;
