//! The runner's configuration: .gitea/runner/config.yaml.

use crate::model::container::{MountOption, Opt, mounts, options_of_text};
use crate::parse::yaml::YamlNode;
use crate::tree::SourceTree;

pub(crate) const PATH: &str = ".gitea/runner/config.yaml";

pub(crate) struct Runner<'a> {
    pub(crate) root: &'a YamlNode,
}

impl<'a> Runner<'a> {
    /// `None` if the file is missing or no YAML. Rules `files` and `yaml` report that.
    pub(crate) fn read(tree: &'a SourceTree) -> Option<Runner<'a>> {
        let source = tree.source(PATH)?;
        Some(Runner { root: source.yaml().ok()? })
    }

    pub(crate) fn container(&self, key: &str) -> Option<&YamlNode> {
        self.root.path(&["container", key])
    }

    pub(crate) fn is_on(&self, key: &str) -> bool {
        self.container(key).is_some_and(YamlNode::is_true)
    }

    pub(crate) fn options(&self) -> Vec<Opt> {
        let node = self.container("options");
        node.and_then(|node| Some(options_of_text(node.unfolded()?, node.line))).unwrap_or_default()
    }

    pub(crate) fn mounts(&self) -> Vec<MountOption> {
        mounts(&self.options())
    }

    pub(crate) fn valid_volumes(&self) -> Vec<&YamlNode> {
        self.container("valid_volumes").map(YamlNode::items).unwrap_or_default()
    }

    /// Label names, without the scheme and image behind the colon.
    pub(crate) fn labels(&self) -> Vec<(&YamlNode, &str)> {
        let labels = self.root.path(&["runner", "labels"]).map(YamlNode::items).unwrap_or_default();
        labels
            .into_iter()
            .filter_map(|node| Some((node, node.text()?.split(':').next()?)))
            .collect()
    }

    /// Seconds after which the runner stops a job. The default is 3 h.
    pub(crate) fn timeout(&self) -> u64 {
        const DEFAULT: u64 = 3 * 3600;
        let text = self.root.path(&["runner", "timeout"]).and_then(YamlNode::text);
        text.and_then(duration).unwrap_or(DEFAULT)
    }
}

/// Parses Go's notation (`3h`, `1h30m`, `90s`) into whole seconds.
pub(crate) fn duration(text: &str) -> Option<u64> {
    let mut total = 0.0;
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let unit =
            rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |n| digits + n);
        let seconds = match &rest[digits..unit] {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 0.001,
            "us" | "µs" | "ns" => 0.0,
            _ => return None,
        };
        total += number * seconds;
        rest = &rest[unit..];
    }
    Some(total as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_go_writes_them() {
        assert_eq!(duration("3h"), Some(10_800));
        assert_eq!(duration("1h30m5s"), Some(5_405));
        for bad in ["", "3", "h", "3 h", "3x", "é"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }
}
