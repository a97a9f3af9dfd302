//! Settings for requests.

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Settings for the requests to one server.
#[derive(Clone, Debug)]
pub struct Http {
    /// Longest time for establishing a connection, in seconds.
    pub connect_timeout: u32,
    /// Longest time without any data, in seconds.
    pub stall_timeout: u32,
    /// End of a series of requests, e.g. the pages of a list.
    pub deadline: Option<Instant>,
    /// Number of attempts, if another attempt does no harm.
    pub attempts: u32,
    /// Pause before the second attempt. It doubles with each one; a server's Retry-After replaces it.
    pub pause: Duration,
    /// CA certificates (PEM) that are trusted in addition to this machine's.
    pub ca_file: Option<PathBuf>,
    /// Allows secrets over plain http to other machines.
    pub secrets_in_clear: bool,
    /// Accepts any certificate, for servers that the caller's own configuration calls insecure.
    pub any_certificate: bool,
}

impl Default for Http {
    fn default() -> Http {
        Http {
            connect_timeout: 15,
            stall_timeout: 120,
            deadline: None,
            attempts: 4,
            pause: Duration::from_millis(500),
            ca_file: None,
            secrets_in_clear: false,
            any_certificate: false,
        }
    }
}
