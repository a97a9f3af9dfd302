//! Arguments of `cargo xtask reproduce`.

use crate::engine::BuildArgs;
use clap::value_parser;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Exit codes:
  0  the rebuild matches
  1  it does not match: an anomaly of the supply chain; the output says whom to tell
  3  not ready; the output names the commands that mend it
  4  could not build, which says nothing about the release

Examples:
  cargo xtask reproduce v1.1.0
  cargo xtask reproduce v1.1.0 --as 'Alice <alice@example.org>' --iso silvermetal-base.iso
  cargo xtask reproduce v1.1.0 --rebuild-image           trust no builder image
  cargo xtask reproduce ~/downloads/v1.1.0 --dry-run
  cargo xtask reproduce v1.1.0 --collect ~/statements    count who has reproduced it
  cargo xtask reproduce v1.1.0 --collect https://example.org/statements.git --html rebuilders.html";

/// Rebuild a release and compare: match, mismatch, or could not build
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ReproduceArgs {
    /// Tag of a release (v1.1.0), its page, its folder of files, or a local folder with SHA256SUMS
    /// and BUILD_INFO
    #[arg(value_name = "TAG|URL|DIR", required_unless_present = "collect")]
    pub(super) release: Option<String>,
    #[command(flatten)]
    pub(super) build: BuildArgs,
    /// Builder image, if the release's own registry cannot be reached: same digest, other registry
    #[arg(long, value_name = "REF")]
    pub(super) image: Option<String>,
    /// First rebuild the builder image from nothing, refuse another digest than the release names, and build
    /// in it (implies --setup)
    #[arg(long, conflicts_with_all = ["image", "from_inputs", "collect"])]
    pub(super) rebuild_image: bool,
    /// Rebuild without network, from the inputs that --save-inputs kept
    #[arg(long, value_name = "DIR", conflicts_with_all = ["mirror", "image", "setup"])]
    pub(super) from_inputs: Option<PathBuf>,
    /// Folder for the rebuild and its statement [default: linux/build/output/reproduce-TAG]
    #[arg(long, value_name = "DIR")]
    pub(super) output: Option<PathBuf>,
    /// The published image, if you have it: a mismatch is then diagnosed
    #[arg(long, value_name = "FILE")]
    pub(super) iso: Option<PathBuf>,
    /// Download the published image after a mismatch, and diagnose it
    #[arg(long, conflicts_with_all = ["iso", "collect"])]
    pub(super) fetch_iso: bool,
    /// Name that rebuild.json states, e.g. 'Alice <alice@example.org>' [default: USER@HOST]
    #[arg(long = "as", value_name = "NAME")]
    pub(super) rebuilder: Option<String>,
    /// Page of the repository, for a TAG [default: `repository` in Cargo.toml]
    #[arg(long, value_name = "URL")]
    pub(super) repository: Option<String>,
    /// Build nothing: count statements (rebuild.json), each rebuilder once, CI never, and say what those
    /// who got the same other image have in common. Folders, git repositories, addresses of both
    #[arg(long, value_name = "DIR|URL", num_args = 1.., conflicts_with_all = [
        "image", "output", "rebuilder", "iso",
    ])]
    pub(super) collect: Vec<String>,
    /// Write the page of the rebuilders to FILE
    #[arg(long, value_name = "FILE", requires = "collect")]
    pub(super) html: Option<PathBuf>,
    /// Number of independent rebuilders that must agree
    #[arg(long, value_name = "N", default_value = "2", requires = "collect", value_parser = value_parser!(u32).range(1..))]
    pub(super) threshold: u32,
}
