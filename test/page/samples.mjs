// What the fake server says: pipelines as they look on a good day, events as the demo's are, dead letters.

const KINDS = {
  ingest: { plane: "ingest", source: "POST /events", source_type: "http", sink_type: "rabbitmq" },
  process: { plane: "process", source: "queue events, prefetch 1000", source_type: "rabbitmq", sink_type: "mongodb", backlog: 12, dead_letters: 0 },
  observe: { plane: "observe", source: "planes.events", source_type: "mongodb", sink_type: "live", lag_s: 0.4, oplog_window_left_s: 22_320, server: "MongoDB 7.0, replica set rs0" },
  relay: { plane: "relay", source: "shop.orders", source_type: "mongodb", sink_type: "sqlite", lag_s: 0.2, oplog_window_left_s: 172_800 },
};

const wave = (base, phase) => Array.from({ length: 60 }, (_, i) => Math.max(0, base + base * 0.18 * Math.sin((i + phase) / 5) + base * 0.09 * Math.sin((i * 7 + phase) / 3)));

export function pipeline(kind, values = {}) {
  const base = kind === "relay" ? 8 : 42;
  return {
    name: kind, process: "", state: "streaming", ended: false, error: "", server: "",
    events_read: 18_420, events_delivered: 18_418, events_rejected: 2, events_retried: kind === "process" ? 3 : 0, events_filtered: 0, events_left_out: 0, bytes_delivered: 9_412_608, batches: 931,
    source_retries: 0, source_opens: 1, sink_retries: 0, saves: 930, save_failures: 0, in_flight_events: 7, in_flight_bytes: 3_584,
    write_latency: { bounds_s: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5], counts: [10, 200, 500, 180, 30, 9, 2, 0, 0, 0, 0, 0, 0], sum_s: 2.4 },
    events_per_s: base, rate_by_s: wave(base, kind.charCodeAt(0) * 3), retry_in_s: null, retry_attempt: 0, lag_s: null, position_age_s: 0.8,
    oplog_window_left_s: null, backlog: null, dead_letters: null, sqlite_wal_bytes: null, proof_of_life_s: 0.3, ready: true, not_ready: "", ...KINDS[kind], ...values,
  };
}

export const demoFaults = [
  { name: "step_down", label: "Step the primary down" },
  { name: "kill_cursor", label: "Kill the feed's cursor" },
  { name: "restart_broker", label: "Restart the broker" },
  { name: "refused", label: "Kill the last secondary" },
];

const PLACES = ["12 km SW of Ridgecrest, CA", "41 km E of Hachinohe, Japan", "8 km NNW of The Geysers, CA", "96 km S of Sand Point, Alaska", "Kermadec Islands, New Zealand",
  "23 km WNW of Puerto Madero, Mexico", "Fiji region", "5 km E of Pahala, Hawaii"];
let made = 0;

// An event as the feed brings it; what a test cares about is given.
export function event({ id, title, severity = "light", mag = 3.2, category = "earthquake", source = "/usgs/feed" } = {}) {
  made += 1;
  const ident = id ?? `us7000k${made.toString(36)}`;
  const place = title ?? PLACES[made % PLACES.length];
  const now = new Date();
  return {
    id: `8263${made.toString(16).padStart(8, "0")}-${ident}`, op: "insert", ns: "planes.events", time_ms: now.getTime(), sent_ms: now.getTime(), key: { _id: { $oid: "65f0c0ffee65f0c0ffee65f0" } },
    doc: {
      raw: { specversion: "1.0", id: ident, source, type: "gov.usgs.earthquake", time: now.toISOString(), data: { place, mag, depth_km: 10.2, felt: made % 3 } },
      severity, category, tags: mag > 5 ? ["felt"] : [], receivedAt: { $date: now.toISOString() }, processedAt: { $date: now.toISOString() },
    },
  };
}

export function severityOf(mag) {
  return mag >= 7 ? "major" : mag >= 6 ? "strong" : mag >= 5 ? "moderate" : mag >= 4 ? "light" : "minor";
}

// A mixed lot, for looks and for load.
export function quakes(count) {
  return Array.from({ length: count }, (_, i) => {
    const mag = Math.round((2 + ((i * 37) % 53) / 10) * 10) / 10;
    return { mag, severity: severityOf(mag) };
  });
}

export function letter({ id, reason = "classify: the rules need raw.data.mag, which is missing", pipeline: name = "process", attempts = 3, event: text } = {}) {
  return {
    pipeline: name, id, reason, origin: "queue events", attempts, at_ms: Date.now() - 65_000,
    event: text ?? JSON.stringify({ specversion: "1.0", id, source: "/usgs/feed", type: "gov.usgs.earthquake", data: { place: "nowhere", felt: null } }),
  };
}

export function guard(values = {}) {
  return { configured: true, interval_s: 10, age_s: 3.2, alerts: [], audits: [], notices_sent: 0, notices_failed: 0, ...values };
}

let fired = 0;

export function alert(values = {}) {
  fired += 1;
  return {
    name: "lag", pipeline: "orders", process: "", severity: "warning", firing: true, text: "the position is 75 s behind the deployment (limit 60 s) and does not catch up",
    hint: "the sink is slower than the source: look at the destination's load and write latency, raise `lanes` or `batch_events_max`", figure: 75, limit: 60, unit: "seconds", fired_at_ms: Date.now() - 724_000, resolved_at_ms: 0, seq: fired, ...values,
  };
}

export function audit(values = {}) {
  return {
    pipeline: "orders", process: "", kind: "checksum", state: "waiting", error: "", progress: 0, every_s: 600, age_s: 122, duration_s: 8.4, finished_at_ms: Date.now() - 122_000,
    source_documents: 1_204_331, destination_documents: 1_204_331, filtered_documents: 0, missing: 0, extra: 0, different: 0, unreadable: 0, stale: 0, doubled: 0, rejected_documents: 0, unaudited_collections: 0, unexamined: 0, unsettled: 0, buckets: 744, buckets_differing: 0, first_ids: [], first_rejected: [], ...values,
  };
}

// The longest of everything that is still likely.
export const longest = {
  name: "orders-europe-west-4-to-the-warehouse-nightly", // as the configuration allows it
  count: 123_456_789_012,
  days_s: 9 * 86_400 + 23 * 3600 + 59 * 60,
  address: "[2001:db8:85a3:1234:8a2e:370f:7334:ffff]:27017",
  id: "8267A1B2C3000000012B0229296E5A1004F1D2C3B4A5968778695A4B3C2D1E0F46465F69640064",
  error: "No suitable servers found (`serverSelectionTryOnce` set): [connection refused calling hello on '[2001:db8:85a3:1234:8a2e:370f:7334:ffff]:27017'] "
    + "[connection timeout calling hello on 'shard-00-02.orders-europe-west-4.example.internal:27017'], waited 123456789012 ms; Topology type: ReplicaSetNoPrimary",
};
