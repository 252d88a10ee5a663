"""PyMongo 3.11: handshake, documents, indexes, cursors, aggregation."""
import datetime
import unittest
import uuid

import bson
import pymongo
from bson.binary import Binary
from bson.codec_options import CodecOptions
from bson.decimal128 import Decimal128
from pymongo import monitoring

from support.servers import eventually, needs_faults, on_every_server


class Commands(monitoring.CommandListener):
    """The names of the commands that succeeded."""

    def __init__(self):
        self.names = []

    def started(self, event):
        pass

    def succeeded(self, event):
        self.names.append(event.command_name)

    def failed(self, event):
        pass


@on_every_server
class Crud:
    def ids(self, cursor):
        return [document["_id"] for document in cursor]

    def test_discovers_the_set_and_its_primary(self):
        hello = self.client.admin.command("isMaster")
        self.assertTrue(hello["ismaster"])
        self.assertEqual(self.client.primary, tuple_of(hello["me"]))
        self.assertGreaterEqual(hello["maxWireVersion"], 8)
        if self.is_sandbox:
            eventually(lambda: len(self.client.nodes) == 3, "all members are found")
            self.assertEqual(hello["maxWireVersion"], 21 if self.compat == "7.0" else 8)
            self.assertTrue(self.client.server_info()["version"].startswith(self.compat))

    def test_carries_every_type_there_and_back(self):
        document = {
            "_id": bson.ObjectId(), "double": 1.5, "int": -7, "long": bson.Int64(2**63 - 1),
            "decimal": Decimal128("1234567890.0987654321"), "date": datetime.datetime(2023, 11, 14, 22, 13, 20, 123000),
            "yes": True, "nothing": None, "text": "räksmörgås \U0001f41f", "bytes": b"\0\1\xff", "user": Binary(b"x", 128),
            "pattern": bson.Regex("^a.b$", "i"), "code": bson.Code("return 1"), "stamp": bson.Timestamp(5, 6),
            "min": bson.MinKey(), "max": bson.MaxKey(), "nested": {"deep": [{"a": []}, {}, [1, [2]]]},
        }
        self.db.types.insert_one(document)
        self.assertEqual(self.db.types.find_one({"_id": document["_id"]}), document)
        self.assertEqual(list(self.db.types.find_one()), list(document))
        standard = self.db.get_collection("uuids", CodecOptions(uuid_representation=4))
        one = uuid.uuid4()
        standard.insert_one({"_id": one})
        self.assertEqual(standard.find_one({"_id": one}), {"_id": one})

    def test_finds_by_the_common_operators(self):
        people = self.db.people
        people.insert_many([
            {"_id": 1, "n": 5, "name": "ann", "tags": ["a", "b"]},
            {"_id": 2, "n": 10, "name": "bob", "tags": ["b"], "scores": [{"k": 1, "v": 9}, {"k": 2, "v": 3}]},
            {"_id": 3, "n": 15, "name": "cid", "tags": [], "extra": None},
        ])
        for query, expected in [
            ({"n": {"$gt": 5, "$lte": 15}}, [2, 3]),
            ({"n": {"$in": [5, 15]}}, [1, 3]),
            ({"$or": [{"name": "ann"}, {"n": 15}]}, [1, 3]),
            ({"$and": [{"tags": "b"}, {"n": {"$ne": 5}}]}, [2]),
            ({"extra": {"$exists": True}}, [3]),
            ({"extra": None}, [1, 2, 3]),
            ({"scores": {"$elemMatch": {"k": 2, "v": {"$lt": 5}}}}, [2]),
            ({"tags": {"$size": 2}}, [1]),
            ({"name": bson.Regex("^[ab]")}, [1, 2]),
            ({"name": {"$not": {"$gte": "b"}}}, [1]),
            ({"$expr": {"$gt": ["$n", 7]}}, [2, 3]),
        ]:
            with self.subTest(query=query):
                self.assertEqual(self.ids(people.find(query).sort("_id")), expected)
        page = people.find({}, {"name": 1, "_id": 0}).sort([("n", pymongo.DESCENDING)]).skip(1).limit(1)
        self.assertEqual(list(page), [{"name": "bob"}])
        self.assertEqual(people.count_documents({"n": {"$gte": 10}}), 2)
        self.assertEqual(people.estimated_document_count(), 3)
        self.assertEqual(sorted(people.distinct("tags")), ["a", "b"])
        self.assertEqual(self.code_of(people.find_one, {"n": {"$nope": 1}}), 2)

    def test_updates_by_the_common_modifiers(self):
        one = self.db.one
        for before, update, after in [
            ({"a": 1}, {"$set": {"b.c": 2}}, {"a": 1, "b": {"c": 2}}),
            ({"a": 1, "b": 2}, {"$unset": {"b": ""}}, {"a": 1}),
            ({"a": 1}, {"$inc": {"a": 2}}, {"a": 3}),
            ({"a": 3}, {"$mul": {"a": 4}}, {"a": 12}),
            ({"a": 3, "b": 3}, {"$min": {"a": 1}, "$max": {"b": 9}}, {"a": 1, "b": 9}),
            ({"a": 3}, {"$rename": {"a": "b"}}, {"b": 3}),
            ({"a": [3]}, {"$push": {"a": {"$each": [1, 2], "$sort": 1, "$slice": 2}}}, {"a": [1, 2]}),
            ({"a": [1]}, {"$addToSet": {"a": {"$each": [1, 2]}}}, {"a": [1, 2]}),
            ({"a": [1, 2, 3]}, {"$pull": {"a": {"$gt": 1}}}, {"a": [1]}),
            ({"a": [1, 2]}, {"$pop": {"a": 1}}, {"a": [1]}),
            ({"a": [1, 2]}, {"$inc": {"a.$[]": 10}}, {"a": [11, 12]}),
            ({"a": 2}, [{"$set": {"b": {"$add": ["$a", 1]}}}], {"a": 2, "b": 3}),
        ]:
            with self.subTest(update=update):
                one.delete_many({})
                one.insert_one({"_id": 0, **before})
                self.assertEqual(one.update_one({"_id": 0}, update).modified_count, 1)
                self.assertEqual(one.find_one(), {"_id": 0, **after})
        one.replace_one({"_id": 0}, {"a": [{"k": 1, "v": 1}, {"k": 2, "v": 1}]})
        one.update_one({"_id": 0}, {"$inc": {"a.$[x].v": 5}}, array_filters=[{"x.k": 2}])
        self.assertEqual(one.find_one()["a"][1], {"k": 2, "v": 6})
        upsert = one.update_one({"_id": 9}, {"$setOnInsert": {"a": 1}}, upsert=True)
        self.assertEqual((upsert.matched_count, upsert.upserted_id), (0, 9))
        self.assertEqual(self.code_of(one.update_one, {}, {"$nope": {"a": 1}}), 9)

    def test_finds_and_modifies_in_one_step(self):
        both = self.db.both
        both.insert_many([{"_id": 1, "a": 1}, {"_id": 2, "a": 2}])
        self.assertEqual(both.find_one_and_update({}, {"$inc": {"a": 10}}, sort=[("a", -1)]), {"_id": 2, "a": 2})
        after = both.find_one_and_replace({"_id": 7}, {"x": 1}, upsert=True, return_document=pymongo.ReturnDocument.AFTER)
        self.assertEqual(after, {"_id": 7, "x": 1})
        self.assertEqual(both.find_one_and_delete({"_id": 7}), {"_id": 7, "x": 1})
        self.assertIsNone(both.find_one_and_delete({"_id": 7}))

    def test_writes_in_bulk(self):
        bulk = self.db.bulk
        result = bulk.bulk_write([
            pymongo.InsertOne({"_id": 1, "a": 1}), pymongo.InsertOne({"_id": 2, "a": 1}),
            pymongo.UpdateMany({}, {"$inc": {"a": 1}}), pymongo.ReplaceOne({"_id": 3}, {"c": 1}, upsert=True),
            pymongo.DeleteOne({"_id": 2}),
        ])
        self.assertEqual((result.inserted_count, result.modified_count, result.upserted_ids, result.deleted_count),
                         (2, 2, {3: 3}, 1))
        with self.assertRaises(pymongo.errors.BulkWriteError) as caught:
            bulk.insert_many([{"_id": 10}, {"_id": 1}, {"_id": 11}], ordered=False)
        self.assertEqual(caught.exception.details["nInserted"], 2)
        self.assertEqual([(e["index"], e["code"]) for e in caught.exception.details["writeErrors"]], [(1, 11000)])
        self.assertEqual(len(bulk.insert_many([{"i": i} for i in range(10_000)]).inserted_ids), 10_000)
        self.assertEqual(bulk.delete_many({"i": {"$gte": 0}}).deleted_count, 10_000)

    def test_enforces_unique_indexes(self):
        users = self.db.users
        users.insert_one({"_id": 1, "email": "a"})
        self.assertEqual(users.create_index([("email", 1)], unique=True), "email_1")
        with self.assertRaises(pymongo.errors.DuplicateKeyError) as caught:
            users.insert_one({"_id": 2, "email": "a"})
        self.assertEqual(caught.exception.details["keyPattern"], {"email": 1})
        self.assertEqual(set(users.index_information()), {"_id_", "email_1"})
        users.drop_index("email_1")
        users.insert_one({"_id": 2, "email": "a"})
        self.assertEqual(self.code_of(users.create_index, "email", unique=True), 11000)

    def test_hands_out_a_cursor_in_batches(self):
        listener = Commands()
        many = self.connect(event_listeners=[listener])[self.db.name].many
        many.insert_many([{"_id": i} for i in range(250)])
        del listener.names[:]
        self.assertEqual(self.ids(many.find(batch_size=100).sort("_id")), list(range(250)))
        self.assertEqual(listener.names, ["find", "getMore", "getMore"])
        cursor = many.find(batch_size=10)
        next(cursor)
        cursor_id = bson.Int64(cursor.cursor_id)
        cursor.close()
        self.assertEqual(listener.names[-1], "killCursors")
        self.assertEqual(self.code_of(self.db.command, "getMore", cursor_id, collection="many"), 43)
        self.assertEqual(len(list(many.aggregate([{"$match": {}}], batchSize=100))), 250)

    def test_aggregates(self):
        self.db.orders.insert_many([
            {"_id": 1, "who": "a", "items": [{"sku": "x", "n": 2}, {"sku": "y", "n": 1}]},
            {"_id": 2, "who": "b", "items": [{"sku": "x", "n": 5}]},
        ])
        self.db.prices.insert_many([{"_id": "x", "price": 3}, {"_id": "y", "price": 10}])
        totals = self.db.orders.aggregate([
            {"$unwind": "$items"},
            {"$lookup": {"from": "prices", "localField": "items.sku", "foreignField": "_id", "as": "price"}},
            {"$project": {"who": 1, "sum": {"$multiply": ["$items.n", {"$arrayElemAt": ["$price.price", 0]}]}}},
            {"$group": {"_id": "$who", "sum": {"$sum": "$sum"}}},
            {"$sort": {"_id": 1}},
        ])
        self.assertEqual(list(totals), [{"_id": "a", "sum": 16}, {"_id": "b", "sum": 15}])

    def test_lists_renames_and_drops(self):
        self.db.create_collection("made")
        self.assertEqual(self.code_of(self.db.command, "create", "made", validationLevel="off"), 48)
        self.db.made.rename("renamed")
        names = self.db.list_collection_names()
        self.assertIn("renamed", names)
        self.assertNotIn("made", names)
        self.db.renamed.insert_one({})
        self.assertIn(self.db.name, self.client.list_database_names())
        self.db.drop_collection("renamed")
        self.assertNotIn("renamed", self.db.list_collection_names())

    def test_waits_for_the_majority_it_is_asked_for(self):
        majority = self.db.get_collection("concern", write_concern=pymongo.WriteConcern("majority"),
                                          read_concern=pymongo.read_concern.ReadConcern("majority"))
        majority.insert_one({"_id": 1})
        self.assertEqual(majority.count_documents({}), 1)
        unmet = self.db.get_collection("concern", write_concern=pymongo.WriteConcern(50, wtimeout=1000))
        self.assertEqual(self.code_of(unmet.insert_one, {"_id": 2}), 100)

    @needs_faults
    def test_times_out_without_a_majority(self):
        secondaries = [m["member"] for m in self.members() if not m["primary"]]
        for member in secondaries:
            self.fault(sandbox="stopReplication", member=member)
        late = self.db.get_collection("late", write_concern=pymongo.WriteConcern("majority", wtimeout=50))
        with self.assertRaises(pymongo.errors.WTimeoutError):
            late.insert_one({"_id": 1})
        for member in secondaries:
            self.fault(sandbox="startReplication", member=member)
        self.db.get_collection("late", write_concern=pymongo.WriteConcern("majority")).insert_one({"_id": 2})


def tuple_of(address):
    host, port = address.rsplit(":", 1)
    return host, int(port)


if __name__ == "__main__":
    unittest.main()
