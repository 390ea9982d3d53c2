//! The root key's keepers: a file, and Key Vault.
