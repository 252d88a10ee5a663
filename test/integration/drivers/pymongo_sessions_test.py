"""PyMongo 3.11: sessions, retryable writes, transactions."""
import threading
import unittest

import pymongo
from pymongo.errors import OperationFailure
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from support.servers import needs_faults, on_every_server

MAJORITY = WriteConcern("majority")


@on_every_server
class Sessions:
    def created(self, name, documents=()):
        collection = self.db.create_collection(name, write_concern=MAJORITY)
        if documents:
            collection.insert_many(documents)
        return collection

    def test_reads_its_own_writes_from_a_secondary(self):
        collection = self.created("causal")
        secondary = collection.with_options(read_preference=pymongo.ReadPreference.SECONDARY,
                                            read_concern=ReadConcern("majority"))
        with self.client.start_session(causal_consistency=True) as session:
            for i in range(20):
                collection.insert_one({"_id": i}, session=session)
                self.assertEqual(secondary.find_one({"_id": i}, session=session), {"_id": i})
            self.assertIsNotNone(session.operation_time)

    @needs_faults
    def test_applies_a_retried_write_once_when_the_connection_dies(self):
        collection = self.created("retried", [{"_id": "counter", "n": 0}])
        increment = {"$inc": {"n": 1}}
        for command, write in [
            ("insert", lambda: collection.insert_one({"_id": "one"})),
            ("insert", lambda: collection.insert_many([{"_id": "many 1"}, {"_id": "many 2"}])),
            ("update", lambda: collection.update_one({"_id": "counter"}, increment)),
            ("update", lambda: collection.bulk_write([pymongo.UpdateOne({"_id": "counter"}, increment)] * 2)),
            ("findAndModify", lambda: collection.find_one_and_update({"_id": "counter"}, increment)),
            ("delete", lambda: collection.delete_one({"_id": "one"})),
        ]:
            with self.subTest(command=command):
                self.fail_commands([command], closeConnection=True)
                write()
        self.assertEqual(collection.find_one({"_id": "counter"})["n"], 4)
        self.assertEqual([document["_id"] for document in collection.find().sort("_id")], ["counter", "many 1", "many 2"])

    @needs_faults
    def test_doesnt_apply_a_write_again_that_was_done(self):
        collection = self.created("done", [{"_id": "counter", "n": 0}])
        self.fail_commands(["update"], writeConcernError={"code": 91, "errmsg": "shutting down",
                                                          "errorLabels": ["RetryableWriteError"]})
        collection.update_one({"_id": "counter"}, {"$inc": {"n": 1}})
        self.assertEqual(collection.find_one()["n"], 1)

    def test_commits_transactions(self):
        accounts = self.created("accounts", [{"_id": "a", "n": 100}, {"_id": "b", "n": 0}])

        def move(session):
            accounts.update_one({"_id": "a"}, {"$inc": {"n": -30}}, session=session)
            accounts.update_one({"_id": "b"}, {"$inc": {"n": 30}}, session=session)
            self.assertEqual(accounts.find_one({"_id": "b"}, session=session)["n"], 30)
            self.assertEqual(accounts.find_one({"_id": "b"})["n"], 0)

        with self.client.start_session() as session:
            session.with_transaction(move, ReadConcern("snapshot"), MAJORITY)
        self.assertEqual([document["n"] for document in accounts.find().sort("_id")], [70, 30])

    def test_aborts_transactions(self):
        collection = self.created("aborted", [{"_id": 1, "n": 1}])
        with self.client.start_session() as session:
            session.start_transaction()
            collection.update_one({"_id": 1}, {"$set": {"n": 2}}, session=session)
            collection.insert_one({"_id": 2}, session=session)
            session.abort_transaction()
            self.assertEqual(list(collection.find()), [{"_id": 1, "n": 1}])
            with self.assertRaises(ZeroDivisionError), session.start_transaction():
                collection.insert_one({"_id": 3}, session=session)
                raise ZeroDivisionError
        self.assertEqual(collection.count_documents({}), 1)

    def test_lets_one_of_two_conflicting_transactions_win(self):
        collection = self.created("conflict", [{"_id": 1, "n": 0}])
        with self.client.start_session() as first, self.client.start_session() as second:
            first.start_transaction()
            second.start_transaction()
            collection.update_one({"_id": 1}, {"$inc": {"n": 1}}, session=first)
            with self.assertRaises(OperationFailure) as caught:
                collection.update_one({"_id": 1}, {"$inc": {"n": 1}}, session=second)
            self.assertEqual(caught.exception.code, 112)
            self.assertTrue(caught.exception.has_error_label("TransientTransactionError"))
            first.commit_transaction()
        self.assertEqual(collection.find_one()["n"], 1)

    def test_counts_right_when_transactions_race(self):
        collection = self.created("race", [{"_id": 1, "n": 0}])

        def increment(session):
            n = collection.find_one({"_id": 1}, session=session)["n"]
            collection.update_one({"_id": 1}, {"$set": {"n": n + 1}}, session=session)

        def work():
            with self.client.start_session() as session:
                session.with_transaction(increment)

        threads = [threading.Thread(target=work, daemon=True) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        self.assertEqual(collection.find_one()["n"], 6)

    @needs_faults
    def test_commits_once_when_the_answer_to_the_commit_is_lost(self):
        collection = self.created("lost_answer", [{"_id": 1, "n": 0}])
        for data in ({"closeConnection": True}, {"errorCode": 91},
                     {"writeConcernError": {"code": 91, "errmsg": "shutting down", "errorLabels": ["RetryableWriteError"]}}):
            with self.subTest(data=data), self.client.start_session() as session:
                self.fail_commands(["commitTransaction"], **data)
                session.start_transaction(write_concern=MAJORITY)
                collection.update_one({"_id": 1}, {"$inc": {"n": 1}}, session=session)
                session.commit_transaction()
                session.commit_transaction()
        self.assertEqual(collection.find_one()["n"], 3)

    @needs_faults
    def test_repeats_the_transaction_of_a_primary_that_stepped_down(self):
        collection = self.created("stepped", [{"_id": 1, "n": 0}])
        tries = []

        def work(session):
            collection.update_one({"_id": 1}, {"$inc": {"n": 1}}, session=session)
            tries.append(1)
            if len(tries) == 1:
                self.fault(sandbox="stepDown")
            collection.update_one({"_id": 1}, {"$inc": {"n": 1}}, session=session)

        with self.client.start_session() as session:
            session.with_transaction(work, write_concern=MAJORITY)
        self.assertGreaterEqual(len(tries), 2)
        self.assertEqual(collection.find_one()["n"], 2)


if __name__ == "__main__":
    unittest.main()
