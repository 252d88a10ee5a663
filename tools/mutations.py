"""The deliberate bugs that tools/mutate puts into the code, one at a time. Each is the smallest edit that makes the code do what
it must not, beside the tests that must notice."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    path: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutation:
    name: str
    bug: str      # what the code does then
    breaks: str   # what users would see of it
    edits: tuple
    tests: dict   # program -> names of its tests

    @property
    def files(self):
        return sorted({edit.path for edit in self.edits})


CORE = "src/core/pipeline_core.cc"
DELIVERY = "src/core/pipeline_core_delivery.cc"
SIMULATION = {"tidemark_sim_test": ["Simulation.KeepsEveryRuleAfterEveryStep"]}

MUTATIONS = [
    Mutation(
        "save-before-commit",
        "events count as durable once they are handed to the sink",
        "a crash between the save and the sink's commit loses what was under way",
        (Edit(DELIVERY,
              "    job.parts.push_back({item.seq, count});\n",
              "    job.parts.push_back({item.seq, count});\n"
              "    watermark_.delivered(item.seq, count);\n"
              "    if (auto early = watermark_.advance()) {\n"
              "      to_save_ = std::move(early);\n"
              "      to_save_urgent_ = true;\n"
              "    }\n"),
         Edit(DELIVERY, "    watermark_.delivered(part.seq, taken);\n", "")),
        {"tidemark_core_test": ["PipelineCore.SavesThePositionOnlyAfterTheWriteIsDurable"], **SIMULATION}),
    Mutation(
        "reset-backoff-on-open",
        "a stream that opens ends the patience, whether an event came or not",
        "a stream that opens and dies at once is opened again every second, for ever, by every pipeline",
        (Edit(CORE,
              "  ++status_.source_opens;\n",
              "  ++status_.source_opens;\n"
              "  source_backoff_.reset();\n"),),
        {"tidemark_core_test": ["PipelineCore.DoesNotResetTheBackOffOnAMereOpen"], **SIMULATION}),
    Mutation(
        "resume-after-for-start-after",
        "streams are resumed with resumeAfter",
        "after a dropped or renamed collection the position can't be resumed from any more",
        (Edit("src/sources/mongodb/cursor.cc",
              'at.resume_after ? "resumeAfter" : "startAfter"',
              '"resumeAfter"'),),
        {"tidemark_source_mongodb_test": ["BuildAggregate.WatchesACollectionWithEveryOption",
                                          "StreamSource.FallsBackToResumeAfterAtTheSamePositionAndRemembers",
                                          "StreamSource.EndsWithTheInvalidateAndOpensBehindIt"]}),
    Mutation(
        "skip-last-of-batch",
        "the last event of each batch isn't read",
        "one event in a thousand is missing, and the position stands behind it",
        (Edit("src/sources/mongodb/batch_reader.cc",
              "  TIDEMARK_TRY(add_events(parts.batch, *reply, *batch.events));\n",
              "  TIDEMARK_TRY(add_events(parts.batch, *reply, *batch.events));\n"
              "  if (!batch.events->events().empty()) batch.events->events().pop_back();\n"),),
        {"tidemark_source_mongodb_test": ["BatchReader.StandsBehindABatchAtItsHighWaterMark",
                                          "StreamSource.OpensAtTheHighWaterMarkAndReadsOn"]}),
    Mutation(
        "token-from-stream",
        "a transaction in the middle of a batch commits the stream's position and not its last event's",
        "after a crash the rest of the batch is skipped",
        (Edit(DELIVERY,
              ": item.within.empty() ? position_after(job.events.back())\n"
              "                                               : item.within;",
              ": job.events.empty() ? position_after(job.events.back())\n"
              "                                              : read_position_;"),),
        {"tidemark_core_test": ["PipelineCore.CommitsTheEventsOwnTokenInTheMiddleOfABatch"], **SIMULATION}),
    Mutation(
        "fall-back-to-now",
        "a position that the server no longer has is replaced by the present moment",
        "everything that happened meanwhile is missing, and all looks well",
        (Edit("src/sources/mongodb/stream_source.cc",
              "  TIDEMARK_ASSIGN(OpenedCursor opened, open_cursor(*client_, at, known_, stop));\n"
              "  const CursorReply parts =",
              "  auto tried = open_cursor(*client_, at, known_, stop);\n"
              "  if (!tried && tried.error().react == React::kPositionLost)\n"
              "    tried = open_cursor(*client_, OpenAt{}, known_, stop);\n"
              "  TIDEMARK_ASSIGN(OpenedCursor opened, std::move(tried));\n"
              "  const CursorReply parts ="),),
        {"tidemark_source_mongodb_test": ["StreamSource.NeverOpensAnywhereButAtItsPosition",
                                          "StreamSource.TellsTheFirstRefusalWhenEveryWayIsRefused"]}),
    Mutation(
        "drop-failed-save",
        "a position whose save failed is forgotten",
        "the position stands behind what was delivered until something new happens: after a crash or a stop it comes again",
        (Edit(CORE,
              "  if (!to_save_) to_save_ = std::move(saving_position_);",
              "  saving_position_.reset();"),),
        {"tidemark_core_test": ["PipelineCore.TriesAFailedSaveAgain"], **SIMULATION}),
    Mutation(
        "ack-abandoned-reply",
        "a reply that is dropped unanswered says 202",
        "a client deletes what was never stored",
        (Edit("src/core/inlet.h",
              "{.kind = Answer::Kind::kUnavailable, .detail =",
              "{.kind = Answer::Kind::kAccepted, .detail ="),),
        {"tidemark_core_test": ["Reply.DroppedUnansweredIsNeverAccepted", "Reply.OverwrittenUnansweredIsNeverAccepted"]}),
    Mutation(
        "swap-shutdown-steps",
        "the sink is closed and the position's lease given back before the source is closed",
        "another instance starts while this one still holds its stream",
        (Edit("src/runtime/runner.cc", "[this] { close_source(); }", "[this] { close_sink(); }"),
         Edit("src/runtime/runner.cc", "[this] { close_sink(); }", "[this] { close_source(); }")),
        {"tidemark_runtime_test": ["PipelineRunnerTest.ClosesSourceSinkAndPositionInThatOrder"]}),
    Mutation(
        "forget-idle-mark",
        "a batch without events doesn't move the position",
        "behind a filter that seldom matches the position grows old until the oplog has rolled over it: lost",
        (Edit(CORE,
              "  if (moved || !empty) admit(",
              "  if (!empty) admit("),),
        {"tidemark_core_test": ["PipelineCore.SavesAQuietStreamsMarkOnSchedule",
                                "PipelineCore.CommitsAQuietStreamsMarkInATransactionOfItsOwn"], **SIMULATION}),
    Mutation(
        "rename-brings-nothing",
        "behind a rename the collection isn't read from the source",
        "after a renameCollection across databases, an $out or a convertToCapped the table is empty",
        (Edit("src/sources/mongodb/reread.cc",
              "  if (!options_.rereads || event.op != Op::kRename ||",
              "  if (!options_.rereads || event.op != Op::kDrop ||"),),
        {"tidemark_source_mongodb_test": ["Reread.WhatARenameBringsIsReadBehindItWithThePositionBeforeIt",
                                          "Reread.RenameAtBothEndsOfABatchKeepsThePositionsAndTheEndOfTheCursor"]}),
    Mutation(
        "any-name-is-watched",
        "what the configuration watches isn't compared with the name of a collection",
        "a collection that is renamed away, or another that is renamed, is taken for the watched one",
        (Edit("src/core/watched_names.cc",
              "  if (!collection.empty() && ns.collection != collection) return false;\n",
              ""),),
        {"tidemark_core_test": ["WatchedNames.TheConfigurationAloneSaysWhatIsWatched"],
         "tidemark_source_mongodb_test": ["Reread.RenameOutOfTheWatchedCollectionLeaves"]}),
    Mutation(
        "temporary-is-a-collection",
        "the server's temporary collections count as the user's",
        "an $out every night leaves an empty table tmp.agg_out.… each time, or ends the pipeline",
        (Edit("src/core/watched_names.cc",
              '{"system.", "tmp.agg_out.", "tmp.mr."}',
              '{"system."}'),),
        {"tidemark_core_test": ["WatchedNames.KnowsTheCollectionsThatTheServerMakesForAMoment"],
         "tidemark_source_mongodb_test": ["Reread.NothingOfTemporaryAndExcludedCollectionsComesThrough"]}),
    Mutation(
        "stopped-means-end",
        "the text of a document ends at a value that can't be written",
        "what stands behind a malformed binary is missing in every SQL sink and file",
        (Edit("src/bson/json.cc",
              "      value(field, depth);\n",
              "      if (field.type() == BSON_TYPE_BINARY && !field.binary().well_formed) break;\n"
              "      value(field, depth);\n"),),
        {"tidemark_bson_test": ["TextOfAValue.CarriesABinaryOfSubtypeTwoWithoutItsLengthAndAllThatFollows"]}),
    Mutation(
        "bad-bytes-look-alike",
        "bytes that are not UTF-8 are replaced in every text",
        "two documents whose _ids differ in one such byte share a row; deleting one removes the other's",
        (Edit("src/bson/json.cc",
              "return append_string<false>(text, out_);",
              "return append_string<true>(text, out_);"),),
        {"tidemark_bson_test": ["TextOfAValue.TellsIdsApartThatAreNotUtf8"]}),
    Mutation(
        "literal-looks-like-a-type",
        "a document {$numberInt: \"1\"} is written as it stands",
        "it reads back as a number: the audit is blind for it, a dead letter comes back as another type",
        (Edit("src/bson/json.cc",
              "      if (key.starts_with('$') && is_extended_word(key)) return false;\n",
              ""),),
        {"tidemark_bson_test": ["TextOfAValue.TellsALiteralDocumentFromTheTypeThatItLooksLike"]}),
    Mutation(
        "open-is-the-same",
        "an audit with rejected or unsettled documents counts as clean",
        "\"both ends hold the same\", exit code 0, over a stale row",
        (Edit("src/guard/audit_report.h",
              "return wrong() == 0 && rejected == 0 && whole();",
              "return wrong() == 0;"),),
        {"tidemark_guard_test": ["AuditText.NeverSaysTheSameOfWhatIsOpenOrRefused"]}),
    Mutation(
        "write-into-the-void",
        "the file sink doesn't look whether its path leads to the file that it writes",
        "after an rm or a logrotate everything goes into a file without a name, and the position moves over it",
        (Edit("src/sinks/file/sink.cc",
              "    if (!look->named) {\n",
              "    if (look->size == UINT64_MAX) {\n"),),
        {"tidemark_sink_file_test": ["FileSink.WhatIsWrittenAfterTheFileWasMovedAwayStandsInANewOne",
                                     "FileSink.WhatIsWrittenAfterTheFileWasRemovedStandsInANewOne"]}),
    Mutation(
        "anybodys-table",
        "the sqlite sink doesn't look whose table it writes into",
        "two collections whose names lead to one table write over each other's documents",
        (Edit("src/sinks/sqlite/row_owners.cc",
              "  if (rows->owner == owner) return rows;\n",
              "  if (!owner.empty()) return rows;\n"),),
        {"tidemark_sink_sqlite_test": ["SqliteSink.TwoCollectionsWhoseNamesLeadToOneTableAreNotMixed"]}),
    Mutation(
        "consume-without-a-sink",
        "a queue's messages are taken before the sink has answered",
        "each start while the destination is down costs every message one of its deliveries, until the broker drops them",
        (Edit(CORE,
              "  const bool sink_ready = !limits_.sink_first || std::all_of(",
              "  const bool sink_ready = !limits_.sink_first || !lanes_.empty() || std::all_of("),),
        {"tidemark_core_test": ["PipelineCore.TakesNothingFromAQueueBeforeTheSinkAnswers"]}),
    Mutation(
        "a-form-that-vouches",
        "a row under the present form of an _id is taken to show that there is none under another",
        "what was read again or looked up comes in its last form: the row of a form before it stays for ever",
        (Edit("src/sinks/sqlite/rows.cc",
              "  const auto id = row_id(*change.event);\n  if (!id) return {};\n  bind_guard(",
              "  const auto id = row_id(*change.event);\n  if (!id) return {};\n"
              "  TIDEMARK_ASSIGN(const bool there, table.look.bind(1, change.id).step());\n"
              "  const bool older = there && table.look.blob_view(1) < change.event->id;\n"
              "  table.look.reset();\n  if (older && !change.remove) return {};\n  bind_guard("),),
        {"tidemark_sink_sqlite_test": ["SqliteTextGuards/CurrentRowsContract/0.ADocumentThatIsShownAheadOfItsTypeStaysOneRow"]}),
    Mutation(
        "one-form-of-a-number",
        "the rows of an _id's other numeric types aren't looked for",
        "a replaceOne({_id: 1}, {_id: NumberLong(1)}) leaves two rows, one of them for ever",
        (Edit("src/core/row_identity.cc",
              "  if (value.is_number()) return forms_of_number(value, shortest);\n",
              "  if (value.is_number() && depth > 0) return forms_of_number(value, shortest);\n"),),
        {"tidemark_core_test": ["RowIdentity.ValuesThatAreOneToTheServerHashAlikeAndAreListedAsFormsOfEachOther"],
         "tidemark_sink_sqlite_test": ["SqliteLane/CurrentRowsContract/0.ADocumentWhoseIdChangesItsTypeStaysOneRow"]}),
    Mutation(
        "round-at-the-door",
        "a number of a CloudEvent becomes the nearest double",
        "18446744073709551615 is answered with 202 and stored as 1.8446744073709552e+19",
        (Edit("src/cloudevents/number.cc",
              "  if (!integer && number && reads_as(*number, wanted)) return *number;\n",
              "  if (number && (reads_as(*number, wanted) || *number != 0)) return *number;\n"),),
        {"tidemark_cloudevents_test": ["Numbers.KeepTheirValueToTheLastDigit"]}),
    Mutation(
        "letter-as-it-was",
        "a dead letter that is retried is written as it was kept",
        "the row goes back to a state that is over, and a document deleted since comes back",
        (Edit("src/app/letter_retry.cc",
              "    if (!current || !documents) return",
              "    if (!current || documents) return"),),
        {"tidemark_app_test": ["LetterRetried.WritesTheDocumentThatTheSourceHasNow",
                               "LetterRetried.NeverBringsBackADocumentThatIsGone"]}),
    Mutation(
        "collections-tell-nothing",
        "two deployments aren't told apart by their collections",
        "a position of one replica set goes on in another of the same name, whose changes end up among the first one's",
        (Edit("src/core/deployment.cc",
              "  if (!a.collections.empty() && sees) return Sameness::kOther;\n",
              "  if (sees) return Sameness::kUntold;\n"),),
        {"tidemark_core_test": ["Deployment.AnotherSetOfTheSameNameIsToldByItsCollectionsWithoutAGrant",
                                "PipelineCore.RefusesAnotherDeploymentOfTheSameNameByItsCollections"]}),
    Mutation(
        "delete-by-id-alone",
        "a delete removes the row of its _id, whatever shard key the row's document has",
        "a document that moves to another shard is missing when its insert comes before its delete",
        (Edit("src/core/row_plan.cc",
              "  const bool conditional = event.op == Op::kDelete && has_shard_key(event.key);\n",
              "  const bool conditional = event.op == Op::kOther && has_shard_key(event.key);\n"),),
        {"tidemark_sink_sqlite_test":
         ["SqliteLane/CurrentRowsContract/0.AnInsertBeforeTheDeleteOfADocumentThatMovedToAnotherShardStays"]}),
    Mutation(
        "nothing-is-ours",
        "the mongodb sink takes no collection for the program's own",
        "a document of a collection named tidemark_positions takes the place of the pipeline's position",
        (Edit("src/sinks/mongodb/settings.cc",
              "      names.push_back({name.substr(0, dot), name.substr(dot + 1)});\n"
              "  return names;\n",
              "      names.push_back({name.substr(0, dot), name.substr(dot + 1)});\n"
              "  return {};\n"),),
        {"tidemark_sink_mongodb_test": ["MongodbSinkSettings.NoEventMayWriteWhatIsTheProgramsOwn"]}),
    Mutation(
        "last-name-wins",
        "a name that stands twice in a document isn't found",
        "PostgreSQL's jsonb keeps the last of the two, without a word",
        (Edit("src/bson/doubled_name.cc",
              "  if (!array)\n",
              "  if (array)\n"),),
        {"tidemark_bson_test": ["DoubledName.IsFoundOnEveryLevel"],
         "tidemark_sink_postgres_test": ["PostgresLimits.AFieldThatStandsTwiceIsARejectThatNamesIt"]}),
]
