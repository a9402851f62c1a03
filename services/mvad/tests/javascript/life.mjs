// The life of a model through Microsoft's JavaScript client. One JSON object on standard input says what to do, one on
// standard output what came of it.
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

// The package's ES modules do not say that they are; its CommonJS build is what Node can load.
const { default: AnomalyDetector, paginate } = createRequire(import.meta.url)("@azure-rest/ai-anomaly-detector");

const asked = JSON.parse(await text(process.stdin));
const client = AnomalyDetector(asked.endpoint, { key: asked.key }, { allowInsecureConnection: true });

function expect(answer, status) {
  if (answer.status !== status) {
    throw new Error(`${answer.request.method} ${answer.request.url}: ${answer.status} ${JSON.stringify(answer.body)}`);
  }
  return answer;
}

async function finished(path, id, statusOf) {
  for (;;) {
    const { body } = expect(await client.path(path, id).get(), "200");
    if (["READY", "FAILED"].includes(statusOf(body))) {
      return body;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function listed() {
  const first = await client.path("/multivariate/models").get({ queryParameters: { skip: 0, top: 1 } });
  const ids = [];
  for await (const model of paginate(client, expect(first, "200"))) {
    ids.push(model.modelId);
  }
  return ids;
}

const trained = expect(await client.path("/multivariate/models").post({ body: asked.train }), "201");
const id = trained.headers.location.split("/").pop();
const model = await finished("/multivariate/models/{modelId}", id, (body) => body.modelInfo.status);
const ids = await listed();
const started = expect(
  await client.path("/multivariate/models/{modelId}:detect-batch", id).post({ body: asked.batch }),
  "202",
);
const batch = await finished(
  "/multivariate/detect-batch/{resultId}",
  started.headers["operation-id"],
  (body) => body.summary.status,
);
const last = expect(
  await client.path("/multivariate/models/{modelId}:detect-last", id).post({ body: asked.last }),
  "200",
).body;
expect(await client.path("/multivariate/models/{modelId}", id).delete(), "204");
const gone = expect(await client.path("/multivariate/models/{modelId}", id).get(), "404").body;
console.log(JSON.stringify({ id, model, ids, batch, last, gone }));
