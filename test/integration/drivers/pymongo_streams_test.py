"""PyMongo 3.11: change streams, resuming, and failover under them."""
import unittest

from pymongo.errors import OperationFailure
from pymongo.write_concern import WriteConcern

from support.servers import eventually, needs_faults, on_every_server, since, take

WRITES = 80


def kinds(events):
    return [event["operationType"] for event in events]


def keys(events):
    return [event["documentKey"]["_id"] for event in events]


@on_every_server
class Streams:
    def created(self, name):
        return self.db.create_collection(name)

    def watch(self, on, pipeline=None, **options):
        """A stream that is open on the server: from here on it sees everything."""
        stream = on.watch(pipeline, max_await_time_ms=200, **options)
        self.addCleanup(stream.close)
        return stream

    def test_sees_inserts_updates_replacements_and_deletes(self):
        collection = self.created("kinds")
        stream = self.watch(collection)
        collection.insert_one({"_id": 1, "a": 1, "b": {"c": 1}})
        collection.update_one({"_id": 1}, {"$set": {"b.c": 2}, "$unset": {"a": ""}})
        collection.replace_one({"_id": 1}, {"whole": True})
        collection.delete_one({"_id": 1})
        events = take(stream, 4)
        self.assertEqual(kinds(events), ["insert", "update", "replace", "delete"])
        self.assertEqual(events[0]["fullDocument"], {"_id": 1, "a": 1, "b": {"c": 1}})
        self.assertEqual(events[1]["updateDescription"]["updatedFields"], {"b.c": 2})
        self.assertEqual(events[1]["updateDescription"]["removedFields"], ["a"])
        self.assertEqual(events[2]["fullDocument"], {"_id": 1, "whole": True})
        self.assertNotIn("fullDocument", events[3])
        tokens = [event["_id"]["_data"] for event in events]
        self.assertEqual(sorted(tokens), tokens)
        self.assertEqual(stream.resume_token is not None, True)

    def test_watches_a_database_and_the_deployment(self):
        of_database = self.watch(self.db)
        of_all = self.watch(self.client, [{"$match": {"ns.db": self.db.name}}])
        self.db.one.insert_one({"_id": 1})
        self.db.two.insert_one({"_id": 2})
        for stream in (of_database, of_all):
            self.assertEqual([event["ns"]["coll"] for event in take(stream, 2)], ["one", "two"])

    def test_filters_by_a_pipeline(self):
        collection = self.created("filtered")
        stream = self.watch(collection, [{"$match": {"fullDocument.n": {"$gte": 2}}}, {"$project": {"ns": 0}}])
        collection.insert_many([{"_id": n, "n": n} for n in (1, 2, 3)])
        self.assertEqual(keys(take(stream, 2)), [2, 3])
        with self.assertRaises(OperationFailure):
            self.watch(collection, [{"$group": {"_id": None}}])

    def test_goes_on_behind_any_event(self):
        collection = self.created("resumed")
        stream = self.watch(collection)
        collection.insert_many([{"_id": n} for n in range(5)])
        events = take(stream, 5)
        for way in ("resume_after", "start_after"):
            for i, event in enumerate(events[:-1]):
                again = self.watch(collection, **{way: event["_id"]})
                self.assertEqual(keys(take(again, 4 - i)), [1, 2, 3, 4][i:])
                again.close()
        since_time = self.watch(collection, start_at_operation_time=events[3]["clusterTime"])
        self.assertIn(keys(take(since_time, 1)), ([0], [1], [2], [3]))

    def test_goes_on_from_an_idle_streams_token(self):
        collection = self.created("idle")
        stream = self.watch(collection)
        self.assertIsNone(stream.try_next())
        token = stream.resume_token
        stream.close()
        collection.insert_many([{"_id": 1}, {"_id": 2}])
        self.assertEqual(keys(take(self.watch(collection, resume_after=token), 2)), [1, 2])

    def test_looks_updated_documents_up(self):
        collection = self.created("lookup")
        collection.insert_one({"_id": 1, "a": 1})
        stream = self.watch(collection, full_document="updateLookup")
        collection.update_one({"_id": 1}, {"$set": {"b": 2}})
        self.assertEqual(take(stream, 1)[0]["fullDocument"], {"_id": 1, "a": 1, "b": 2})

    @since(6, 0)
    def test_has_the_images_before_and_after(self):
        # This driver knows no such option: the stage is given as it is.
        self.db.command("create", "images", changeStreamPreAndPostImages={"enabled": True})
        collection = self.db.images
        stage = {"$changeStream": {"fullDocument": "required", "fullDocumentBeforeChange": "required"}}
        cursor = collection.aggregate([stage], maxAwaitTimeMS=200)
        collection.insert_one({"_id": 1, "a": 1})
        collection.update_one({"_id": 1}, {"$inc": {"a": 1}})
        collection.delete_one({"_id": 1})
        events = take(_TryNext(cursor), 3)
        self.assertEqual([(e.get("fullDocumentBeforeChange") or {}).get("a") for e in events], [None, 1, 2])
        self.assertEqual([(e.get("fullDocument") or {}).get("a") for e in events], [1, 2, None])
        cursor.close()

    def test_ends_with_an_invalidate_on_drop_and_starts_after_it(self):
        collection = self.created("dropped")
        stream = self.watch(collection)
        collection.insert_one({"_id": 1})
        collection.drop()
        events = take(stream, 3)
        self.assertEqual(kinds(events), ["insert", "drop", "invalidate"])
        self.assertIsNone(stream.try_next())
        self.assertFalse(stream.alive)
        self.assertEqual(self.code_of(self.watch, collection, resume_after=events[2]["_id"]), 260)
        again = self.watch(collection, start_after=events[2]["_id"])
        collection.insert_one({"_id": 2})
        self.assertEqual(keys(take(again, 1)), [2])

    def test_sees_a_transactions_writes_together(self):
        collection = self.created("together")
        stream = self.watch(collection)
        with self.client.start_session() as session, session.start_transaction():
            collection.insert_one({"_id": 1}, session=session)
            collection.insert_one({"_id": 2}, session=session)
            collection.insert_one({"_id": "outside"})
        events = take(stream, 3)
        self.assertEqual(keys(events), ["outside", 1, 2])
        self.assertEqual(events[1]["clusterTime"], events[2]["clusterTime"])
        self.assertEqual(events[1]["txnNumber"], events[2]["txnNumber"])

    def test_reads_on_in_batches(self):
        collection = self.created("batches")
        stream = self.watch(collection, batch_size=7)
        collection.insert_many([{"_id": i} for i in range(100)])
        self.assertEqual(keys(take(stream, 100)), list(range(100)))

    @needs_faults
    def test_resumes_by_itself_when_its_cursor_is_killed_or_fails(self):
        collection = self.created("survives")
        stream = self.watch(collection)
        for i, fault in enumerate([
            lambda: self.fault(sandbox="killCursors", changeStreams=True),
            lambda: self.fault(sandbox="failStream", errorCode=11600),
            lambda: self.fault(sandbox="failStream", errorCode=91),
            lambda: self.fail_commands(["getMore"], closeConnection=True),
        ]):
            fault()
            collection.insert_many([{"_id": f"{i}a"}, {"_id": f"{i}b"}])
            self.assertEqual(keys(take(stream, 2)), [f"{i}a", f"{i}b"])

    @needs_faults
    def test_fails_for_good_when_its_history_is_lost(self):
        everywhere = self.db.get_collection("lost", write_concern=WriteConcern(3))
        everywhere.insert_one({"_id": 0})
        stream = self.watch(everywhere)
        stream.try_next()
        token = stream.resume_token
        everywhere.insert_many([{"_id": 1}, {"_id": 2}])
        self.fault(sandbox="truncateOplog", keep=1)
        everywhere.insert_one({"_id": 3})
        self.assertEqual(self.code_of(self.watch, everywhere, resume_after=token), 286 if self.version >= (4, 4) else 40576)


class _TryNext:
    """A command cursor with the face of a change stream."""

    def __init__(self, cursor):
        self.try_next = lambda: cursor._try_next(True)


@on_every_server
class Failover:
    def healed(self):
        def caught_up():
            members = self.members()
            newest = [member["newest"] for member in members if member["primary"]]
            return newest and all(member["alive"] and member["newest"] == newest[0] for member in members)
        eventually(caught_up, "every member has caught up")

    def write_through(self, name, faults):
        """Writes while `faults` happen at these counts; each acknowledged write was done once, the stream has each once."""
        self.healed()
        collection = self.db.get_collection(name, write_concern=WriteConcern("majority"))
        with collection.watch(max_await_time_ms=200) as stream:
            for i in range(WRITES):
                if i in faults:
                    faults[i]()
                collection.insert_one({"_id": i})
            self.assertEqual(keys(take(stream, WRITES)), list(range(WRITES)))
        self.assertEqual([document["_id"] for document in collection.find().sort("_id")], list(range(WRITES)))

    @needs_faults
    def test_goes_through_step_downs(self):
        self.write_through("step_downs", {20: lambda: self.fault(sandbox="stepDown"), 50: self.step_down})

    def step_down(self):
        self.on_primary("replSetStepDown", 5, secondaryCatchUpPeriodSecs=4)

    @needs_faults
    def test_goes_through_the_death_of_the_primary(self):
        victims = []
        self.write_through("deaths", {
            20: lambda: victims.append(self.fault(sandbox="kill", member="primary")["member"]),
            60: lambda: self.fault(sandbox="restart", member=victims[0]),
        })
        self.healed()

    @needs_faults
    def test_goes_through_a_silent_primary(self):
        self.healed()
        impatient = self.connect(socketTimeoutMS=1000, connectTimeoutMS=1000, heartbeatFrequencyMS=500)
        collection = impatient[self.db.name].get_collection("silent", write_concern=WriteConcern("majority"))
        collection.insert_one({"_id": 0, "n": 0})
        victim = next(member["member"] for member in self.members() if member["primary"])
        self.fault(sandbox="pause", member=victim)
        collection.update_one({"_id": 0}, {"$inc": {"n": 1}})
        self.fault(sandbox="resume", member=victim)
        self.healed()
        self.assertEqual(collection.find_one(), {"_id": 0, "n": 1})


if __name__ == "__main__":
    unittest.main()
