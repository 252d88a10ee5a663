// What the server says and is told: the HTTP API and the WebSocket protocol, field by field as they stand on the wire.
// Times end in _ms or _s; `null` is "unknown, or not a thing of this source".

export type PlaneName = "relay" | "ingest" | "process" | "observe";

export interface Histogram {
  bounds_s: number[];
  counts: number[]; // not cumulative; one more than bounds_s
  sum_s: number;
}

export interface Pipeline {
  name: string;
  process?: string; // "" = the process that serves this page; else a peer's address
  plane: PlaneName;
  source: string;
  source_type: string;
  sink_type: string;
  state: string;
  ended: boolean;
  error: string;
  server: string;
  events_read: number;
  events_delivered: number;
  events_rejected: number;
  events_retried: number;
  events_filtered: number;
  events_left_out: number;
  bytes_delivered: number;
  batches: number;
  source_retries: number;
  source_opens: number;
  sink_retries: number;
  saves: number;
  save_failures: number;
  in_flight_events: number;
  in_flight_bytes: number;
  write_latency: Histogram;
  events_per_s: number;
  rate_by_s: number[];
  retry_in_s: number | null;
  retry_attempt: number;
  lag_s: number | null;
  position_age_s: number | null;
  oplog_window_left_s: number | null;
  backlog: number | null;
  dead_letters: number | null;
  sqlite_wal_bytes: number | null;
  proof_of_life_s: number | null;
  ready: boolean;
  not_ready: string;
}

// [seconds, increment], as MongoDB orders its operations.
export type ClusterTime = [number, number];

export interface Stats {
  configured: boolean;
  at_ms: number;
  error: string;
  age_s: number;
  total: number | null;
  by_severity: [string, number][];
  by_category: [string, number][];
  per_s: number | null;
  cluster_time: ClusterTime;
  queue_depth: number | null;
  queue: string;
  interval_s: number;
}

export interface TimelineEntry {
  seq: number;
  at_ms: number;
  pipeline: string;
  kind: string;
  text: string;
  replayed: number;
}

export interface Alert {
  name: string;
  pipeline: string; // "" = of the whole program
  process: string; // "" = of the process that serves this page; else a peer's address
  severity: "warning" | "critical";
  firing: boolean;
  text: string;
  hint: string;
  figure: number | null;
  limit: number | null;
  unit: string;
  fired_at_ms: number;
  resolved_at_ms: number; // 0 while it fires
  seq: number;
}

export interface Audit {
  pipeline: string;
  process: string;
  kind: string; // "count", "checksum"
  state: string; // "waiting", "running", "stopped"
  error: string;
  progress: number;
  every_s: number;
  age_s: number | null;
  duration_s: number;
  finished_at_ms: number; // 0 = never
  source_documents: number;
  destination_documents: number;
  filtered_documents: number;
  missing: number;
  extra: number;
  different: number;
  unreadable: number;
  stale: number;
  doubled: number;
  rejected_documents: number;
  unaudited_collections: number;
  unexamined: number;
  unsettled: number;
  buckets: number;
  buckets_differing: number;
  first_ids: string[];
  first_rejected: string[];
}

export interface Guard {
  configured: boolean;
  interval_s: number;
  age_s: number | null;
  alerts: Alert[]; // firing ones first
  audits: Audit[];
  notices_sent: number;
  notices_failed: number;
}

export interface Letter {
  pipeline: string;
  id: string;
  reason: string;
  origin: string;
  event: string;
  at_ms: number;
  attempts: number;
}

export interface Fault {
  name: string;
  label: string;
}

export interface FeedItem {
  seq: number;
  id: string;
  op: string;
  ns: string;
  time_ms: number;
  cluster_time: ClusterTime;
  sent_ms: number;
  key: unknown;
  doc: Record<string, unknown> | null;
  truncated?: boolean;
}

export interface Overview {
  now_ms: number;
  version: string;
  instance: string;
  demo: boolean;
  pipelines: Pipeline[];
  stats: Stats;
  guard: Guard;
}

export interface Hello {
  type: "hello";
  protocol: number;
  version: string;
  instance: string;
  now_ms: number;
  demo: boolean;
  stats_interval_s: number;
  feeds: { name: string; oldest: number; newest: number }[];
}

export type Frame =
  | Hello
  | { type: "events"; feed: string; items: FeedItem[] }
  | { type: "gap"; feed: string; after: number; missed: number }
  | { type: "status"; now_ms: number; pipelines: Pipeline[]; guard?: Guard }
  | ({ type: "stats" } & Stats)
  | { type: "timeline"; entries: TimelineEntry[] };

export const kSubprotocol = "tidemark.v1";
// Without any frame for so long the socket counts as silent: the server sends its status every second.
export const kSilent_s = 3;
