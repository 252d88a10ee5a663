// Schedules that have once made a relay fail, as tidemark-chaos printed them after it had made them as small as it could. They
// run first, always. A line goes in here by hand, with a word about what it found.
#pragma once

namespace tidemark::chaos {

inline constexpr const char* kRegressions[] = {
    // A file that began with an event of a transaction (txnNumber comes before _id) was not taken for the sink's own.
    "seed 16; writes 160; relays file; 77 crash-relay 0 31",
    // A file that may not grow (EFBIG) ended the relay, as no other full disk does.
    "seed 122; writes 116; relays file,sqlite-log-lanes; 27 cut-sink 0 66; 40 cut-sink 0 36",
    // The oplog was cut at more than a relay had stored: a token with `_typeBits` is stored as JSON, which as a text is greater
    // than any other relay's token, so that the smallest position was another one's.
    "seed 43; writes 123; relays postgres-current,sqlite-current-lanes; 19 step-down 0 1; 33 truncate-oplog "
    "0 1; "
    "44 rollback 0 6; 65 kill-relay 0 99; 82 disk-full 0 145; 107 cut-sink 0 65",
    "seed 30; writes 155; relays postgres-current,sqlite-log-lanes,postgres-current-lanes; 59 step-down 0 1; "
    "118 stop-relay 1 139; 119 truncate-oplog 0 1; 130 crash-at-call 0 4; 131 rollback 0 6; 138 "
    "crash-postgres 0 80",
    "seed 791; writes 68; relays postgres-log-lanes,sqlite-log-lanes; 48 pause-relay 1 144; 67 "
    "truncate-oplog 0 1",
    // Both ends were compared while an election was under way.
    "seed 1000; writes 184; relays mongodb-current-plain,file,mongodb-current; 72 kill-member 0 113; "
    "84 crash-at-call 0 154; 94 rollback 0 6; 114 kill-cursors 1 1; 132 fail-position 2 37; 138 step-down 0 "
    "1; "
    "147 fail-aggregate 5 69; 177 truncate-oplog 0 1",
    // A lane whose write held one event alone, which went to the dead letters, kept the end of a reading (a barrier) waiting for
    // good: with too much unsaved to read on, nothing else came to wake it.
    "seed 46; writes 113; relays postgres-current-lanes,sqlite-log,sqlite-current; 37 pause-member 1 111; "
    "45 fail-aggregate 15 31; 47 stop-relay 2 9",
    // The file sink didn't take a file that begins with a rename (`to` comes before _id) for its own.
    "seed 22; writes 136; relays file-mongodb-position,mongodb-current,postgres-current; 15 cut-connections "
    "0 40; 55 pause-member 0 50; 112 kill-relay 0 145; 115 kill-cursors 0 1; 120 step-down 0 1",
    // Rows stayed under another numeric form of an _id that had changed its type.
    "seed 7; writes 158; relays postgres-current-lanes,sqlite-log,sqlite-current",
};

}  // namespace tidemark::chaos
