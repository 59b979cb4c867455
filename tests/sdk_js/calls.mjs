// Calls by the makers' packages for JavaScript: `node calls.mjs '[["chat", {"model": …}], …]'` makes them one after
// another and prints what came of each as a JSON list. GATEWAY_URL and GATEWAY_KEY say where to and who calls.
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

const { GATEWAY_URL: url, GATEWAY_KEY: key } = process.env;
const openai = new OpenAI({ apiKey: key, baseURL: `${url}/v3/router`, maxRetries: 0 });
const anthropic = new Anthropic({ authToken: key, apiKey: null, baseURL: `${url}/v3/anthropic`, maxRetries: 0 });

const city = {
  type: "object",
  properties: { name: { type: "string" }, inhabitants: { type: "integer" }, isCapital: { type: "boolean" } },
  required: ["name", "inhabitants", "isCapital"],
  additionalProperties: false,
};
const cityFormat = { name: "city", schema: city, strict: true };
const question = "Why is the sky blue?";
const messages = [{ role: "user", content: question }];
const parameters = { type: "object", properties: { place: { type: "string" } }, required: ["place"] };
const weather = { name: "get_weather", description: "Current weather at a place", parameters };
const chatTools = [{ type: "function", function: weather }];
const responseTools = [{ type: "function", strict: false, ...weather }];
const nativeTools = [{ name: weather.name, description: weather.description, input_schema: parameters }];

const calls = {
  async chat({ model, text }) {
    const said = text ? [{ role: "user", content: text }] : messages;
    const completion = await openai.chat.completions.create({ model, messages: said });
    return { text: completion.choices[0].message.content, model: completion.model, usage: completion.usage };
  },

  async chatStream({ model }) {
    const options = { model, messages, stream: true, stream_options: { include_usage: true } };
    let text = "";
    let usage = null;
    for await (const chunk of await openai.chat.completions.create(options)) {
      text += chunk.choices[0]?.delta.content ?? "";
      usage = chunk.usage ?? usage;
    }
    return { text, usage };
  },

  async chatHelper({ model }) {
    const stream = openai.chat.completions.stream({ model, messages, stream_options: { include_usage: true } });
    const completion = await stream.finalChatCompletion();
    return { text: completion.choices[0].message.content, usage: completion.usage };
  },

  async chatParse({ model }) {
    const format = { type: "json_schema", json_schema: cityFormat };
    const completion = await openai.chat.completions.parse({ model, messages, response_format: format });
    return { parsed: completion.choices[0].message.parsed, usage: completion.usage };
  },

  async chatTools({ model }) {
    const first = await openai.chat.completions.create({
      ...{ model, messages, tools: chatTools, tool_choice: "required" },
    });
    const [{ message }] = first.choices;
    const result = { role: "tool", tool_call_id: message.tool_calls[0].id, content: "Rain, 12 °C" };
    const second = await openai.chat.completions.create({
      ...{ model, messages: [...messages, message, result], tools: chatTools },
    });
    return { called: message.tool_calls[0].function, text: second.choices[0].message.content, usage: second.usage };
  },

  async response({ model, text }) {
    const response = await openai.responses.create({ model, input: text ?? question });
    return { text: response.output_text, model: response.model, usage: response.usage };
  },

  async responseStream({ model }) {
    const kinds = [];
    let usage = null;
    let text = "";
    for await (const event of await openai.responses.create({ model, input: question, stream: true })) {
      kinds.push(event.type);
      text += event.type === "response.output_text.delta" ? event.delta : "";
      usage = event.type === "response.completed" ? event.response.usage : usage;
    }
    return { text, usage, kinds };
  },

  async responseHelper({ model }) {
    const response = await openai.responses.stream({ model, input: question }).finalResponse();
    return { text: response.output_text, usage: response.usage };
  },

  async responseParse({ model }) {
    const text = { format: { type: "json_schema", ...cityFormat } };
    const response = await openai.responses.parse({ model, input: question, text });
    return { parsed: response.output_parsed, usage: response.usage };
  },

  async responseTools({ model }) {
    const asked = { role: "user", content: question };
    const first = await openai.responses.create({
      ...{ model, input: [asked], tools: responseTools, tool_choice: "required" },
    });
    const call = first.output.find((item) => item.type === "function_call");
    const result = { type: "function_call_output", call_id: call.call_id, output: "Rain, 12 °C" };
    const second = await openai.responses.create({
      ...{ model, input: [asked, ...first.output, result], tools: responseTools },
    });
    return { called: { name: call.name, arguments: call.arguments }, text: second.output_text, usage: second.usage };
  },

  async message({ model, text }) {
    const said = text ? [{ role: "user", content: text }] : messages;
    const message = await anthropic.messages.create({ model, messages: said, max_tokens: 1024 });
    return { text: message.content[0].text, usage: message.usage };
  },

  async messageStream({ model }) {
    let text = "";
    let usage = null;
    const events = await anthropic.messages.create({ model, messages, max_tokens: 1024, stream: true });
    for await (const event of events) {
      text += event.type === "content_block_delta" ? event.delta.text : "";
      usage = { ...usage, ...(event.message?.usage ?? event.usage) };
    }
    return { text, usage };
  },

  async messageHelper({ model }) {
    const message = await anthropic.messages.stream({ model, messages, max_tokens: 1024 }).finalMessage();
    return { text: message.content[0].text, usage: message.usage };
  },

  async messageTools({ model }) {
    const options = { model, max_tokens: 1024, tools: nativeTools };
    const first = await anthropic.messages.create({ ...options, messages, tool_choice: { type: "any" } });
    const call = first.content.find((block) => block.type === "tool_use");
    const result = { type: "tool_result", tool_use_id: call.id, content: "Rain, 12 °C" };
    const turns = [{ role: "assistant", content: first.content }, { role: "user", content: [result] }];
    const second = await anthropic.messages.create({ ...options, messages: [...messages, ...turns] });
    const called = { name: call.name, arguments: JSON.stringify(call.input) };
    return { called, text: second.content[0].text, usage: second.usage };
  },

  async messageCount({ model }) {
    return anthropic.messages.countTokens({ model, messages });
  },

  async models() {
    const ids = [];
    for await (const model of openai.models.list()) ids.push(model.id);
    return ids;
  },
};

async function outcome(name, given) {
  try {
    return await calls[name](given);
  } catch (error) {
    if (!(error instanceof OpenAI.APIError || error instanceof Anthropic.APIError)) throw error;
    return { error: error.constructor.name, status: error.status, code: error.code, param: error.param };
  }
}

const outcomes = [];
for (const [name, given] of JSON.parse(process.argv[2])) outcomes.push(await outcome(name, given));
console.log(JSON.stringify(outcomes));
