/** What a failed call says, as a BackendError: gRPC's code, one sentence, the field at fault, when to come back. */

import { BinaryReader } from "@bufbuild/protobuf/wire";
import { Code, ConnectError } from "@connectrpc/connect";

import { BackendError } from "./backend";

/** The google.rpc details that the contract promises. */
interface Details {
  reason: string;
  field: string;
  retryMs: number;
}

/** Reads the fields with the given numbers of a message; nested messages come as bytes. */
function fieldsOf(bytes: Uint8Array): Map<number, Uint8Array | number> {
  const reader = new BinaryReader(bytes);
  const found = new Map<number, Uint8Array | number>();
  while (reader.pos < reader.len) {
    const [number, wire] = reader.tag();
    if (wire === 2 && !found.has(number)) found.set(number, reader.bytes());
    else if (wire === 0) found.set(number, Number(reader.int64()));
    else reader.skip(wire, number);
  }
  return found;
}

function text(value: Uint8Array | number | undefined): string {
  return value instanceof Uint8Array ? String.fromCharCode(...value) : "";
}

function detailsOf(error: ConnectError): Details {
  const found: Details = { reason: "", field: "", retryMs: 0 };
  for (const detail of error.details) {
    if (!("type" in detail)) continue;
    const fields = fieldsOf(detail.value);
    if (detail.type === "google.rpc.ErrorInfo") found.reason = text(fields.get(1));
    else if (detail.type === "google.rpc.BadRequest") {
      const violation = fields.get(1);
      if (violation instanceof Uint8Array) found.field = text(fieldsOf(violation).get(1));
    } else if (detail.type === "google.rpc.RetryInfo") {
      const delay = fields.get(1);
      const duration = delay instanceof Uint8Array ? fieldsOf(delay) : new Map<number, number>();
      // A delay of nothing is still an invitation.
      found.retryMs = Math.max(1, Number(duration.get(1) ?? 0) * 1000 + Number(duration.get(2) ?? 0) / 1e6);
    }
  }
  return found;
}

/** NOT_FOUND for Code.NotFound. */
export function codeName(code: Code): string {
  return Code[code].replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
}

function kindOf(error: ConnectError, details: Details): BackendError["kind"] {
  switch (error.code) {
    case Code.Unavailable:
      return "offline";
    case Code.ResourceExhausted:
      return details.retryMs ? "busy" : "refused";
    case Code.Aborted:
      return "superseded";
    case Code.Unauthenticated:
    case Code.PermissionDenied:
      return "denied";
    case Code.InvalidArgument:
    case Code.FailedPrecondition:
    case Code.NotFound:
    case Code.OutOfRange:
    case Code.Unimplemented:
      return "refused";
    default:
      return "failed";
  }
}

/** True where no server answered: `fetch` rejects with TypeError, a broken stream with TypeError or NetworkError. */
function isNetwork(reason: unknown): boolean {
  for (let at = reason, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    if (at instanceof TypeError || at.name === "NetworkError") return true;
  }
  return false;
}

/** `address`: what to name in the sentence when nothing answers. */
export function backendError(reason: unknown, address: string): BackendError {
  if (reason instanceof BackendError) return reason;
  const error = ConnectError.from(reason);
  const details = detailsOf(error);
  if (error.code === Code.Unavailable || (isNetwork(reason) && !details.reason)) {
    const sentence =
      details.reason && error.rawMessage
        ? error.rawMessage
        : `The server at ${address} doesn't answer. Is it running? Your work is kept; it goes on when the server is back.`;
    return new BackendError("offline", sentence, details.retryMs, "UNAVAILABLE", "", details.reason);
  }
  const kind = kindOf(error, details);
  const sentence =
    kind === "denied" && !details.reason ? "The server wants a token, or knows another one." : error.rawMessage;
  const shown = sentence || `The server answered ${codeName(error.code)}.`;
  return new BackendError(kind, shown, details.retryMs, codeName(error.code), details.field, details.reason);
}
