/** What a payload can be: JSON, or bytes. A number of JSON that a JavaScript number can't hold loses digits. */
export type Payload = unknown | Uint8Array;

/** What is known of a command when the program is given it. */
export interface Command {
  /** The command's id, a UUID in lower case. */
  readonly id: string;
  /** What to do. */
  readonly name: string;
  /** The arguments: JSON, `null` if there are none, or a `Uint8Array`. */
  readonly payload: Payload;
  /** After this time the command was not to be begun, by the node's clock. Milliseconds since 1970. */
  readonly expiresAt: number;
  /** Aborted when the terminal is closed or given up. */
  readonly signal: AbortSignal;
  /** Tells operators how far the command is. Of several that wait for a connection, the last is sent. Throws {@link TooLarge}. */
  progress(payload: Payload): void;
  /** Sends the result, for a command whose function returned {@link LATER}. The first result counts. */
  succeed(payload?: Payload): void;
  /** As `succeed`, for a command that failed. */
  fail(payload?: Payload): void;
  /** As `succeed`, for a command that this program does not know or refuses. */
  reject(payload?: Payload): void;
}

/** Returned by {@link Options.run} if the result is sent later by the command's own methods, or never. */
export const LATER: unique symbol;

/** Thrown by {@link Options.run}: the command failed, and `payload` is the reply. Any other error replies `{"error": message}`. */
export class CommandFailed extends Error {
  constructor(payload?: Payload);
  readonly payload: Payload;
}

/** Thrown by {@link Options.run}: the program does not know the command, or refuses it. */
export class CommandRejected extends Error {
  constructor(payload?: Payload);
  readonly payload: Payload;
}

/** Thrown for an event or a message over its limit, which is not sent. */
export class TooLarge extends Error {
  constructor(what: string, bytes: number, limit: number);
  /** The size and the largest size, in bytes. */
  readonly bytes: number;
  readonly limit: number;
}

/** The times of the reconnect policy, in milliseconds. */
export interface Policy {
  /** The range of the first delay; 5,000. It doubles with each failure. */
  first: number;
  /** The widest range; 30,000. About so often the token source is asked for another token after one was refused. */
  cap: number;
  /** How long a session must last for the range to begin anew; 60,000. */
  stable: number;
  /** The longest time between two attempts with a token that was refused or has expired; 300,000. The shortest is half of it. */
  slow: number;
  /** A longer hint of a node counts as this; 600,000. */
  hintCap: number;
}

/** Fetches a token. `signal` is aborted when the answer comes too late. The message of an error is reported: it must hold no token. */
export type TokenFunction = ((signal: AbortSignal) => string | Promise<string>) & {
  /** Whether the function is called before each attempt, and not only for a token that is missing, expires or was refused. */
  beforeEachAttempt?: boolean;
};

/** What a terminal is, and where it connects. */
export interface Options {
  /** `wss://HOST/ws` or `ws://HOST:PORT/ws`; of several, the next is tried after each failure. */
  url: string | string[];
  /** The terminal's id, unique in the fleet: 1 to 128 of `A-Z a-z 0-9 . _ : -`. A second session of an id ends the first. */
  id: string;
  /** The token that lets the terminal in: a function, {@link tokenFile}, or a text. A text can't be renewed. */
  token?: string | TokenFunction;
  /**
   * Runs a command. What it returns is the reply of a command that succeeded; see {@link LATER}, {@link CommandFailed} and
   * {@link CommandRejected}. Commands run one after the other, in their order.
   */
  run(command: Command): unknown;
  /** Called for each thing that happens, in order. */
  report?(report: Report): void;
  /**
   * What outlives the program (the ids of the commands that it was given, cursor, results): on Node a file, in a browser the
   * beginning of keys in localStorage. Without it a command that is sent again after a restart runs again.
   */
  memory?: string;
  /** How many command ids are remembered; 4,096. */
  remember?: number;
  /** How many commands run at once; 1. */
  parallel?: number;
  /** Texts, such as `{ site: "bj" }`. */
  labels?: Record<string, string>;
  /** Published as an event named `will` if the terminal is lost without a close. At most 8 KiB as JSON. */
  will?: unknown;
  /** Name and version of the program. */
  sdk?: string;
  /** How long an attempt may take up to the `welcome`, and how long the token source may take, in milliseconds; 10,000. */
  deadline?: number;
  /** Those times of the reconnect policy that differ. */
  policy?: Partial<Policy>;
  /** Node: options of `tls.connect` for `wss://`, such as `ca`, `cert` and `key`. */
  tls?: import("node:tls").ConnectionOptions;
}

/** How a connection, or an attempt to make one, ended. */
export type ConnectionEnd =
  /** The node closed the session; `hint` is how long to wait, in milliseconds. */
  | { kind: "closed"; code: number; reason: string; hint?: number }
  /** The handshake was refused. Browsers do not show this: there it is `lost`. */
  | { kind: "refused"; status: number; hint?: number }
  /** The connection could not be made, broke, or carried something else. */
  | { kind: "lost"; cause: string }
  /** Nothing came from the node for three of its ping intervals. */
  | { kind: "silent" }
  /** No `welcome` came before the deadline. */
  | { kind: "no_welcome" }
  /** The token source has not given a token yet. */
  | { kind: "no_token"; cause: string }
  /** The program closed the terminal. */
  | { kind: "left" };

/** The first frame of a node. */
export interface Welcome {
  session: string;
  node: string;
  /** The node's time, RFC 3339. */
  time: string;
  ping_ms: number;
  max_message?: number;
  /** Whether everything that was missed follows. */
  resumed: boolean;
  cursor?: string;
}

/** What happens to a terminal. The last one is `gone`. */
export type Report =
  | { type: "open"; welcome: Welcome }
  /** The session ended (`wasOpen`), or an attempt failed. The next attempt is in `retryIn` milliseconds. */
  | { type: "offline"; end: ConnectionEnd; wasOpen: boolean; retryIn: number }
  /** The terminal will not come back. */
  | { type: "gone"; end: ConnectionEnd; wasOpen: boolean }
  /** Commands for this terminal were lost. */
  | { type: "gap"; from: string; to: string; reason: string }
  /** The node could not use a frame. */
  | { type: "error"; code: string; message: string }
  /** The event with this id is stored. */
  | { type: "stored"; id: string }
  /** A command came again, was acknowledged again, and did not run again. */
  | { type: "repeated"; id: string }
  /** A command came too late. The node was told, and it did not run. */
  | { type: "expired"; id: string }
  /** A message was over the node's limit and was not sent. In place of a result the node is told that the command failed. */
  | { type: "too_large"; bytes: number; limit: number; id?: string }
  /** The token source failed, or the memory can't be written. The terminal goes on. */
  | { type: "problem"; message: string };

/** A terminal: it connects when it is made, and comes back by itself. */
export class Terminal {
  /** Throws if an option can't be used, or the memory can't be read. */
  constructor(options: Options);
  /** Resolves when the terminal will not come back. */
  readonly gone: Promise<ConnectionEnd>;
  /** Says how the terminal is; at most 64 metrics. Of several that wait for a connection, the last is sent. */
  health(condition: "ok" | "degraded" | "failing", metrics?: Record<string, number>): void;
  /**
   * Publishes an event. With an `id` of 1 to 64 bytes a report `stored` tells that the node has it; send it again, with the same
   * id, if none comes. Throws {@link TooLarge} over 8 KiB, and an error if 256 messages wait for a connection.
   */
  event(name: string, payload?: Payload, id?: string): void;
  /** Closes the connection with 1000 and does not come back. Resolves when the connection is gone. */
  close(): Promise<void>;
}

/** Node: a file that holds the token, and that another program may replace by rename. It is read before each attempt. */
export function tokenFile(path: string): TokenFunction;
