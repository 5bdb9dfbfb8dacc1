// `server PORT` answers every GET with one line of JSON until SIGTERM.
import { createServer } from "node:http";
import { answer } from "./answer.js";

const server = createServer((request, response) => {
  response.setHeader("Content-Type", "application/json");
  response.end(JSON.stringify(answer(request.url ?? "/", process.uptime())) + "\n");
});

const port = Number(process.argv[2] ?? 8080);
server.listen(port, "0.0.0.0", () => console.log("listening on", port));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(0));
