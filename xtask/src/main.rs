//! The one entry for people.
fn main() {}
