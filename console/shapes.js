// @ts-check
/** The shapes of the API's answers, as docs/api.md tells them. Only types. */

/**
 * A session. Without `token` the node asks for none.
 * @typedef {object} Session
 * @property {string | null} token
 * @property {string} [renew_until]
 * @property {string | null} name
 * @property {string[]} scopes
 * @property {Record<string, string>} [labels] Those of the terminals that a limited key reaches.
 * @property {string[]} [commands] The names of the commands that a limited key may send.
 */

/**
 * @typedef {object} Terminal
 * @property {string} id
 * @property {"online" | "stale" | "offline"} status
 * @property {"ok" | "degraded" | "failing"} condition
 * @property {Record<string, string>} labels
 * @property {string | null} node
 * @property {string | null} address
 * @property {"v1" | "plain"} protocol
 * @property {string} connected_at
 * @property {string} last_seen
 * @property {number | null} rtt_ms
 * @property {Record<string, number>} metrics
 * @property {{ at: string, reason: string, code: number, text?: string }} [last_close]
 */

/** @typedef {{ at: string, kind: string, node?: string, reason?: string, code?: number, condition?: string, by?: string }} Change */

/**
 * @typedef {object} Fleet
 * @property {number} online
 * @property {number} stale
 * @property {number} offline
 * @property {Record<string, number>} by_node
 * @property {Record<string, number>} by_condition
 * @property {Record<string, number>} by_label
 * @property {number[]} [partial]
 */

/**
 * @typedef {object} Minute
 * @property {string} at
 * @property {number} online
 * @property {number} stale
 * @property {number} offline
 * @property {Record<string, number>} by_condition
 * @property {Record<string, number>} commands
 * @property {Record<string, number>} targets
 */

/** @typedef {{ all?: true, terminal?: string, terminals?: string[], labels?: Record<string, string>, match?: string }} Target */

/**
 * @typedef {object} Command
 * @property {string} id
 * @property {string} name
 * @property {"open" | "done" | "cancelled"} state
 * @property {number} targets
 * @property {Record<string, number>} counts
 * @property {string} created_at
 * @property {string} expires_at
 * @property {string | null} by
 * @property {Target} [target]
 * @property {unknown} [payload]
 * @property {string} [payload_base64]
 * @property {number[]} [partial]
 * @property {number[]} [lost]
 */

/**
 * @typedef {object} Wave
 * @property {number | null} targets
 * @property {number | null} unsent
 * @property {number} skipped
 * @property {Record<string, number>} counts
 * @property {string | null} began_at
 * @property {string[]} commands
 */

/**
 * @typedef {object} RolloutRequest
 * @property {Target} target
 * @property {{ name: string, payload?: unknown, payload_base64?: string }} command
 * @property {{ succeeded: number, within: string }} advance
 * @property {{ failed: number, silent: number, minimum: number }} stop
 * @property {string} [start_at]
 * @property {{ days: string[], from: string, to: string, zone: string }} [window]
 */

/**
 * @typedef {object} Rollout
 * @property {string} id
 * @property {string} name
 * @property {string} state
 * @property {string | null} reason
 * @property {number | null} targets
 * @property {number | null} unsent
 * @property {number} wave
 * @property {number} of
 * @property {string | null} by
 * @property {string} created_at
 * @property {string | null} started_at
 * @property {string | null} ended_at
 * @property {RolloutRequest} [request]
 * @property {Wave[]} [waves]
 */

/** @typedef {{ terminal: string, state: string, at: Record<string, string>, payload?: unknown, payload_base64?: string }} TargetRow */

/**
 * @typedef {object} ClusterNode
 * @property {string} id
 * @property {string} address
 * @property {"ready" | "leaving" | "draining"} state
 * @property {number} sessions
 * @property {number} accepts
 * @property {string | null} renewed_at
 * @property {string} version
 * @property {string} started_at
 * @property {{ ok: number, lost: number }} [partitions]
 * @property {number} [foreign]
 * @property {string} [refused]
 */

/**
 * @typedef {object} Proxy
 * @property {string} id
 * @property {string} address
 * @property {string} version
 * @property {string} started_at
 * @property {string} reported_at
 * @property {number | null} generation
 * @property {number} generation_wanted
 * @property {number} nodes
 * @property {{ what: string, why: string }[]} differs
 * @property {number} lingering_workers
 * @property {{ used: number, limit: number } | null} connections
 * @property {string | null} certificate_ends_at
 * @property {string | null} last_success_at
 * @property {Record<string, number>} refused
 */

/**
 * @typedef {object} AuditRecord
 * @property {string} at
 * @property {string | null} by
 * @property {string} [key]
 * @property {string} address
 * @property {string} method
 * @property {string} route
 * @property {string} [subject]
 * @property {string[]} [terminals]
 * @property {string} [command]
 * @property {number} [targets]
 * @property {number} status
 * @property {string} [error]
 * @property {boolean} [repeated]
 * @property {string} request_id
 */

/**
 * @typedef {object} Key
 * @property {string} id
 * @property {string} name
 * @property {string} scope
 * @property {Record<string, string>} [labels]
 * @property {string[]} [commands]
 * @property {string | null} by
 * @property {string | null} created_at
 * @property {string} expires_at
 * @property {string | null} last_used_at
 * @property {boolean} revoked
 */

/**
 * What a page is opened with: its address, and a signal that is aborted when it is left.
 * @typedef {{ id: string, query: URLSearchParams, signal: AbortSignal }} Visit
 */

export {};
