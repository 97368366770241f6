//! What people and tools get to see of a run: captures, ladders, tokens, tables, reports. Everything here is a function
//! of the trace and what was read from it; nothing reaches back into a run.

pub mod capture;
pub mod ladder;
pub mod matrix;
pub mod path;
pub mod row;
pub mod table;
pub mod token;
mod words;
