// The usual Node door: Fastify takes a batch of CloudEvents, checks each, and publishes one message after the other on a
// confirm channel, waiting for each confirm. Prints {"port": P} once it listens; ends on SIGTERM.
//   --amqp URI --queue Q
import amqp from "amqplib";
import Fastify from "fastify";
import { readArguments } from "./peer.mjs";

const options = readArguments();
const connection = await amqp.connect(options.amqp);
const channel = await connection.createConfirmChannel();
await channel.assertQueue(options.queue, { durable: true, arguments: { "x-queue-type": "quorum" } });

function publish(event) {
  return new Promise((resolve, reject) => {
    channel.sendToQueue(
      options.queue, Buffer.from(JSON.stringify(event)),
      { persistent: true, mandatory: true, contentType: "application/cloudevents+json", messageId: event.id },
      (error) => (error ? reject(error) : resolve()));
  });
}

const app = Fastify({ bodyLimit: 4 << 20 });
app.addContentTypeParser("application/cloudevents-batch+json", { parseAs: "string" }, app.getDefaultJsonParser("error", "error"));
app.post("/events", {
  schema: {
    body: {
      type: "array",
      items: {
        type: "object",
        required: ["specversion", "id", "source", "type"],
        properties: {
          specversion: { const: "1.0" },
          id: { type: "string", minLength: 1 },
          source: { type: "string", minLength: 1 },
          type: { type: "string", minLength: 1 },
        },
      },
    },
  },
}, async (request, reply) => {
  for (const event of request.body) await publish(event);
  return reply.code(202).send({ accepted: request.body.length });
});
await app.listen({ host: "127.0.0.1", port: 0 });
console.log(JSON.stringify({ port: app.server.address().port }));
process.on("SIGTERM", () => process.exit(0));
