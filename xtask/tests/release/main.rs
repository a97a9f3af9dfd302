//! `release` and `reproduce`, from a verified build to somebody else's verdict, with a stub engine
//! and a stand-in for Gitea.
#![allow(clippy::disallowed_methods, reason = "tests start xtask and its peers")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(unreachable_pub, reason = "a test crate has no outside")]

mod build;
mod canary;
mod collect;
mod compare;
mod docs;
mod factory;
mod gitea;
mod publish;
mod records;
mod reproduce;
#[path = "../support/mod.rs"]
mod support;
mod token;
mod workflow;
