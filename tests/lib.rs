//! Tests only: see `scenarios.rs` and the end-to-end tests beside it.
