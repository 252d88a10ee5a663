// The proofs of everything, from the store as it is now.
import { guardProof } from "../logic/guard";
import { feedProof, pipelineProof, socketProof, statsProof, verdictNow, type Mood, type Proof } from "../logic/proof";
import type { Store } from "../state/store";

export function feedProofs(store: Store): Proof[] {
  const heard = store.heard;
  return (store.hello?.feeds ?? []).map(({ name }) => feedProof(
    name, name === store.comparedFeed, store.check.verdict, store.since_s(store.event_ms.get(name)),
    store.since_s(store.check.agreedAt_ms), interval_s(store), heard));
}

const interval_s = (store: Store): number => store.stats?.interval_s ?? store.hello?.stats_interval_s ?? 5;

export function verdictOf(store: Store): { mood: Mood; words: string } {
  const { verdict, agreedAt_ms } = store.check;
  return verdictNow(verdict, store.comparedFeed ?? "", store.since_s(agreedAt_ms), interval_s(store), store.heard);
}

export function allProofs(store: Store): { socket: Proof; feeds: Proof[]; stats: Proof; pipelines: Proof[]; guard: Proof } {
  const heard = store.heard;
  return {
    socket: socketProof(store.linkView()),
    feeds: feedProofs(store),
    guard: guardProof(store.guard, store.since_s(store.status_ms) ?? 0, heard),
    stats: statsProof(store.stats, store.since_s(store.stats_ms) ?? 0, heard),
    pipelines: store.pipelines.map((pipeline) => pipelineProof(pipeline, store.since_s(store.status_ms) ?? 0, heard)),
  };
}
