//! The goobster binary.
fn main() {}
