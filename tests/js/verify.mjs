// Reads [{secret, body, headers}] as JSON from standard input and writes [true or the reason] for each.
import { readFileSync } from "node:fs";
import { Webhook } from "standardwebhooks";

const verdicts = JSON.parse(readFileSync(0, "utf8")).map(({ secret, body, headers }) => {
  try {
    new Webhook(secret).verify(body, headers);
    return true;
  } catch (fault) {
    return fault.message;
  }
});
process.stdout.write(JSON.stringify(verdicts));
