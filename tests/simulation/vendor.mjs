// Runs a story of calls through the vendor's own client and tells what came of each.
// stdin: {endpoint, apiKey, secret, story: [[path, ...arguments], …]}; an argument {base64} becomes bytes.
import { createRequire } from "node:module";
import { json } from "node:stream/consumers";

const { VideoSDK } = createRequire(`${process.argv[2]}/package.json`)("@videosdk.live/server-sdk");
const { story, endpoint, ...account } = await json(process.stdin);
const client = new VideoSDK({ ...account, apiEndpoint: endpoint });

const given = (argument) => (argument?.base64 === undefined ? argument : Buffer.from(argument.base64, "base64"));

// A page is iterated over all pages that follow it.
async function whole(answer) {
  if (answer?.[Symbol.asyncIterator] === undefined) return answer;
  const items = [];
  for await (const item of answer) items.push(item);
  return { first: answer.data.length, total: answer.total, items };
}

async function told([path, ...args]) {
  const names = path.split(".");
  const name = names.pop();
  const resource = names.reduce((found, part) => found[part], client);
  try {
    return { answer: await whole(await resource[name](...args.map(given))) };
  } catch (error) {
    return { error: error.constructor.name, status: error.httpStatus, message: error.message };
  }
}

const answers = [];
for (const call of story) answers.push(await told(call));
process.stdout.write(JSON.stringify(answers));
