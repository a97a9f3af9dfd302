//! Builds of the image from nothing, whatever is there: two under different conditions, or one to compare with another's.

use super::build::Plan;
use super::conditions::ImageConditions;
use super::kept::KeptImage;
use crate::engine::Client;
use crate::engine::container::Network;
use anyhow::{Context as _, Result};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use xtask_core::escape::Shown as _;
use xtask_core::ui::Ui;

/// An image, and the time that its build took.
pub(crate) struct TimedImage {
    pub(crate) kept: KeptImage,
    pub(crate) took: Duration,
}

/// Both images.
pub(crate) struct TwoImages {
    pub(crate) a: TimedImage,
    pub(crate) b: TimedImage,
}

impl Plan {
    /// Builds the image twice. The normal forms stay until the next time.
    pub(crate) fn make_twice(
        &self,
        other: &ImageConditions,
        client: &Client,
        network: Network,
        ui: &Ui,
    ) -> Result<TwoImages> {
        let _alone = self.alone()?;
        let dir = self.folder().join("verify");
        drop(fs::remove_dir_all(&dir)); // of an earlier run
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.shown()))?;
        let build = |name: &str, plan: &Plan| {
            ui.print(&format!("build {name}"));
            let begun = Instant::now();
            let archive = dir.join(format!("{}.tar", name.to_lowercase()));
            plan.make(client, network, &archive, ui)
                .with_context(|| format!("build {name} of the builder image failed"))?;
            let kept = read(&archive)?;
            Ok::<_, anyhow::Error>(TimedImage { kept, took: begun.elapsed() })
        };
        Ok(TwoImages { a: build("A", self)?, b: build("B", &self.under(other.clone()))? })
    }

    /// Builds the image from nothing. Builds run on it then, and not on an earlier one.
    pub(crate) fn make_anew(
        &self,
        client: &Client,
        network: Network,
        ui: &Ui,
    ) -> Result<KeptImage> {
        let _alone = self.alone()?;
        let (anew, archive) = (self.folder().join("anew.tar"), self.archive());
        drop(fs::remove_file(&anew)); // of a killed run
        self.make(client, network, &anew, ui)?;
        fs::rename(&anew, &archive).with_context(|| format!("cannot write {}", archive.shown()))?;
        let kept = read(&archive)?;
        kept.load(&client.local_name(&self.inputs.tag()), client, ui)?;
        Ok(kept)
    }

    /// Makes an image of two equal ones the one that builds run on, unless there is one already. Removes the others.
    /// Returns the image that builds run on.
    pub(crate) fn keep_one(&self, images: &TwoImages) -> Result<KeptImage> {
        let _alone = self.alone()?;
        let archive = self.archive();
        let a = &images.a.kept.archive;
        if KeptImage::read(&archive).is_none() {
            fs::rename(a, &archive).with_context(|| format!("cannot write {}", archive.shown()))?;
        }
        drop(fs::remove_dir_all(self.folder().join("verify")));
        read(&archive)
    }
}

fn read(archive: &Path) -> Result<KeptImage> {
    KeptImage::read(archive).with_context(|| format!("cannot read {}", archive.shown()))
}
