//! The journal: what is appended is there, once, in order, on both databases.

mod commands;
