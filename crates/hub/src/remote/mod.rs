//! Talking to a hub or any web server: addresses, requests, listings, downloads.

pub(crate) mod api;
pub(crate) mod download;
pub(crate) mod http;
pub(crate) mod retry;
pub(crate) mod url;
