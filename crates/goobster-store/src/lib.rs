//! Stores behind the ports of goobster-core: memory, embedded, Redis.
