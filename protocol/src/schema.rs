//! The schema of the store: which schemas a program of this version runs on. `docs/upgrading.md` says how a schema
//! changes.

/// The newest schema that programs of this version run on. A new store gets it.
pub const SCHEMA: u32 = 1;

/// The oldest schema that programs of this version run on: the newest of the version before, so that programs of both
/// versions run on one store.
pub const OLDEST_SCHEMA: u32 = 1;

/// Returns whether programs of this version run on a store of this schema.
pub fn runs_on(schema: u32) -> bool {
    (OLDEST_SCHEMA..=SCHEMA).contains(&schema)
}

/// Returns the schemas that programs of this version run on, for messages: `schema 1`, or `schemas 1 to 2`.
pub fn known_schemas() -> String {
    known(OLDEST_SCHEMA, SCHEMA)
}

fn known(oldest: u32, newest: u32) -> String {
    if oldest == newest { format!("schema {newest}") } else { format!("schemas {oldest} to {newest}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_runs_on_its_own_schema_and_on_that_of_the_version_before() {
        assert!(runs_on(SCHEMA) && runs_on(OLDEST_SCHEMA));
        assert!(!runs_on(SCHEMA + 1) && !runs_on(OLDEST_SCHEMA - 1));
        assert_eq!((known(1, 1), known(1, 2)), ("schema 1".into(), "schemas 1 to 2".into()));
    }
}
