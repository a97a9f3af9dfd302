//! Made images: the same files in other layers, orders, times and formats; and images that mean harm.

use super::*;
use flate2::write::GzEncoder;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use tar::EntryType;

const EPOCH: u64 = 1_778_198_400;

/// A folder for one test. The test removes it.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir =
            std::env::temp_dir().join(format!("silvermetal-normalise-{}-{n}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        Scratch(dir)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// An entry of a layer.
#[derive(Clone)]
struct Made {
    path: Vec<u8>,
    kind: EntryType,
    content: Vec<u8>,
    target: Vec<u8>,
    mode: u32,
    owner: u64,
    mtime: u64,
    xattr: Option<(&'static str, &'static [u8])>,
}

fn made(kind: EntryType, path: &str) -> Made {
    Made {
        path: path.into(),
        kind,
        content: Vec::new(),
        target: Vec::new(),
        mode: if kind == EntryType::Directory { 0o755 } else { 0o644 },
        owner: 0,
        mtime: EPOCH - 7,
        xattr: None,
    }
}

fn file(path: &str, content: &str) -> Made {
    Made { content: content.into(), ..made(EntryType::Regular, path) }
}

fn folder(path: &str) -> Made {
    made(EntryType::Directory, path)
}

fn link(kind: EntryType, path: &str, target: &str) -> Made {
    Made { target: target.into(), ..made(kind, path) }
}

fn layer(entries: &[Made]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(entry.kind);
        header.set_mode(entry.mode);
        header.set_uid(entry.owner);
        header.set_gid(entry.owner);
        header.set_mtime(entry.mtime);
        header.set_username("somebody").unwrap();
        header.set_size(entry.content.len() as u64);
        if matches!(entry.kind, EntryType::Char | EntryType::Block) {
            header.set_device_major(1).unwrap();
            header.set_device_minor(3).unwrap();
        }
        let mut records: Vec<(String, &[u8])> = Vec::new();
        if let Some((name, value)) = entry.xattr {
            records.push((format!("SCHILY.xattr.{name}"), value));
        }
        let long = entry.path.len() > 100 || entry.target.len() > 100;
        if long {
            records.push(("path".into(), &entry.path));
            records.push(("linkpath".into(), &entry.target));
        } else {
            header.as_old_mut().name[..entry.path.len()].copy_from_slice(&entry.path);
            header.as_old_mut().linkname[..entry.target.len()].copy_from_slice(&entry.target);
        }
        tar.append_pax_extensions(records.iter().map(|(key, value)| (key.as_str(), *value)))
            .unwrap();
        header.set_cksum();
        tar.append(&header, &entry.content[..]).unwrap();
    }
    tar.into_inner().unwrap()
}

/// Forms of an archive.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Docker before 25: `ID/layer.tar`, and a link for a layer that comes twice.
    Docker,
    /// Docker with the containerd image store: compressed blobs.
    Containerd,
}

fn config(diff_ids: &[String]) -> Value {
    json!({
        "architecture": "amd64", "os": "linux", "created": "2026-11-26T09:00:00.123Z", "docker_version": "20.10",
        "config": { "Hostname": "f00", "Entrypoint": ["/e"], "Labels": { "a": "b" } },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
        "history": [{ "created": "2026-11-26T09:00:00Z", "created_by": "/bin/sh -c date" }],
    })
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn archive_of(files: &[Made]) -> Vec<u8> {
    layer(files)
}

fn bytes(path: &str, content: Vec<u8>) -> Made {
    Made { content, ..made(EntryType::Regular, path) }
}

fn saved(scratch: &Scratch, name: &str, form: Form, layers: &[Vec<u8>]) -> PathBuf {
    let ids: Vec<String> = layers.iter().map(|layer| hash::bytes(layer).to_string()).collect();
    let mut files = vec![bytes("c.json", config(&ids).to_string().into())];
    let mut names = Vec::new();
    for (n, layer) in layers.iter().enumerate() {
        let name = format!("layer-{n}/layer.tar");
        match (form, layers.iter().position(|other| other == layer)) {
            (Form::Docker, Some(first)) if first < n => {
                files.push(link(EntryType::Symlink, &name, &format!("../layer-{first}/layer.tar")));
            }
            (Form::Docker, _) => files.push(bytes(&name, layer.clone())),
            (Form::Containerd, _) => files.push(bytes(&name, gzip(layer))),
        }
        names.push(name);
    }
    let listed = json!([{ "Config": "c.json", "RepoTags": ["x:y"], "Layers": names }]);
    files.push(bytes("manifest.json", listed.to_string().into()));
    let path = scratch.0.join(name);
    fs::write(&path, archive_of(&files)).unwrap();
    path
}

fn normal(scratch: &Scratch, saved: &Path) -> Result<(Digest, Vec<u8>)> {
    let to = scratch.0.join("normal.tar");
    drop(fs::remove_file(&to));
    let digest = normalise(saved, LatestTime::At(EPOCH), "silvermetal-builder:test", &to)?;
    Ok((digest, fs::read(&to).unwrap()))
}

/// The paths of a normal form, each with a word about it.
fn listed(scratch: &Scratch, layers: &[Vec<Made>]) -> Vec<String> {
    let layers: Vec<Vec<u8>> = layers.iter().map(|entries| layer(entries)).collect();
    let (_, normal) = normal(scratch, &saved(scratch, "saved.tar", Form::Docker, &layers)).unwrap();
    let path = scratch.0.join("again.tar");
    fs::write(&path, normal).unwrap();
    let image = SavedImage::open(&path, &scratch.0).unwrap();
    let mut tar = tar::Archive::new(image.layers[0].reader());
    let entries = tar.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let path = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let mut content = String::new();
        entry.read_to_string(&mut content).unwrap();
        match entry.link_name_bytes() {
            Some(target) => {
                format!("{path} -> {}", String::from_utf8(target.into_owned()).unwrap())
            }
            None => format!("{path} {content}").trim_end().to_owned(),
        }
    });
    entries.collect()
}

#[test]
fn the_same_files_give_the_same_bytes() {
    let scratch = Scratch::new();
    let long = format!("{}/{}", "d".repeat(90), "f".repeat(120));
    let capable = Made {
        xattr: Some(("security.capability", b"\x01\x00\x00\x02=\n")),
        mode: 0o4755,
        ..file("ping", "p")
    };
    let all = [
        file("etc/a", "A"),
        Made { owner: 4_000_000, ..file("etc/b", "B") },
        capable,
        file(&long, "far"),
        link(EntryType::Symlink, "lib", &"t".repeat(150)),
        link(EntryType::Link, "z", "etc/a"),
        made(EntryType::Char, "null"),
        made(EntryType::Block, "disk"),
        made(EntryType::Fifo, "pipe"),
        Made { owner: 1000, mode: 0o1777, ..folder("tmp/") },
    ];
    let of = |form, layers: &[Vec<u8>]| {
        normal(&scratch, &saved(&scratch, "saved.tar", form, layers)).unwrap()
    };
    let (digest, whole) = of(Form::Docker, &[layer(&all)]);
    // another order, one layer for each file, other prefixes, written later, compressed, with what engines leave
    let mut later: Vec<Made> = all.to_vec();
    later.reverse();
    later.sort_by_key(|entry| entry.kind == EntryType::Link); // behind its target
    for entry in &mut later {
        entry.path = [b"./", &*entry.path].concat();
    }
    assert!(of(Form::Docker, &[layer(&later)]).1 == whole);
    let each: Vec<Vec<u8>> = later.iter().map(|entry| layer(std::slice::from_ref(entry))).collect();
    assert!(of(Form::Docker, &each).1 == whole);
    assert!(of(Form::Containerd, &each).1 == whole);
    let left = [
        file(".dockerenv", ""),
        file("etc/resolv.conf", "nameserver 192.0.2.1"),
        file("etc/hostname", "f00"),
        folder("etc"),
        folder("./"),
        file("later", "x"),
    ];
    let mut more = each.clone();
    more.extend([layer(&left), layer(&[file(".wh.later", "")]), layer(&[]), layer(&[])]);
    assert!(of(Form::Docker, &more).1 == whole);
    // the normal form of the normal form, with the epoch that it names
    let path = scratch.0.join("first.tar");
    fs::write(&path, &whole).unwrap();
    assert!(normal(&scratch, &path).unwrap().1 == whole);
    let to = scratch.0.join("second.tar");
    assert_eq!(
        normalise(&path, LatestTime::OfImage, "silvermetal-builder:test", &to).unwrap(),
        digest
    );
    assert!(fs::read(&to).unwrap() == whole);
}

#[test]
fn every_difference_between_files_remains() {
    let scratch = Scratch::new();
    let mut digests = std::collections::BTreeSet::new();
    let base = || file("etc/a", "A");
    let entries = [
        base(),
        file("etc/b", "A"),
        file("etc/a", "B"),
        Made { mode: 0o600, ..base() },
        Made { mode: 0o4644, ..base() },
        Made { owner: 1, ..base() },
        Made { mtime: 5, ..base() },
        Made { xattr: Some(("user.x", b"1")), ..base() },
        Made { xattr: Some(("user.x", b"2")), ..base() },
        link(EntryType::Symlink, "etc/a", "A"),
        link(EntryType::Symlink, "etc/a", "B"),
        folder("etc/a"),
        Made { mode: 0o700, ..folder("etc/a") },
        made(EntryType::Char, "etc/a"),
        made(EntryType::Block, "etc/a"),
        made(EntryType::Fifo, "etc/a"),
    ];
    for entry in &entries {
        let path =
            saved(&scratch, "saved.tar", Form::Docker, &[layer(std::slice::from_ref(entry))]);
        assert!(digests.insert(normal(&scratch, &path).unwrap().0.to_string()));
    }
    let linked = [base(), link(EntryType::Link, "etc/c", "etc/a")];
    let copied = [base(), file("etc/c", "A")];
    for entries in [linked, copied] {
        let path = saved(&scratch, "saved.tar", Form::Docker, &[layer(&entries)]);
        assert!(digests.insert(normal(&scratch, &path).unwrap().0.to_string()));
    }
}

#[test]
fn no_time_is_later_than_the_epoch() {
    let scratch = Scratch::new();
    let of = |mtime| {
        let entries = [Made { mtime, ..file("a", "A") }, Made { mtime: mtime + 1, ..folder("d") }];
        normal(&scratch, &saved(&scratch, "saved.tar", Form::Docker, &[layer(&entries)])).unwrap().0
    };
    assert_eq!(of(EPOCH), of(EPOCH + 86_400));
    assert_ne!(of(EPOCH), of(EPOCH - 1));
}

#[test]
fn a_layer_removes_what_its_whiteouts_name() {
    let scratch = Scratch::new();
    let below = vec![
        file("a/one", "1"),
        file("a/two", "2"),
        file("b/deep/x", "x"),
        file("b-side", "s"),
        file("c/old", "o"),
        link(EntryType::Link, "kept", "a/two"),
        file("was-folder/x", "x"),
        file("was-file", "f"),
    ];
    let above = vec![
        // an opaque folder and a whiteout spare what their own layer adds, also before them
        file("c/new", "n"),
        file("c/.wh..wh..opq", ""),
        file("a/.wh.two", ""),
        file(".wh.b", ""),
        file(".wh..wh.plnk", ""),
        file("was-folder", "file"),
        folder("was-file"),
        file("a/one", "one"),
    ];
    assert_eq!(
        listed(&scratch, &[below, above]),
        [
            "./",
            "a/",
            "a/one one",
            "b-side s",
            "c/",
            "c/new n",
            "kept 2",
            "was-file/",
            "was-folder file"
        ]
    );
}

#[test]
fn links_and_long_names_survive() {
    let scratch = Scratch::new();
    let long = "n".repeat(300);
    let entries = vec![
        file("b", "B"),
        link(EntryType::Link, "a", "b"),
        link(EntryType::Symlink, "s", &format!("../{long}")),
        file(&long, "L"),
        link(EntryType::Link, "zz", &long),
    ];
    let expected = [
        "./".to_owned(),
        "a B".into(),
        "b -> a".into(),
        format!("{long} L"),
        format!("s -> ../{long}"),
        format!("zz -> {long}"),
    ];
    assert_eq!(listed(&scratch, &[entries]), expected);
}

#[test]
fn what_cannot_be_normalised_is_refused_by_name() {
    let scratch = Scratch::new();
    let of = |layers: &[Vec<u8>]| saved(&scratch, "bad.tar", Form::Docker, layers);
    let refused = |path: &Path, word: &str| {
        let error = format!("{:#}", normal(&scratch, path).map(|(digest, _)| digest).unwrap_err());
        assert!(error.contains(word), "{word} is not in {error}");
    };
    for (entries, word) in [
        (vec![file("../x", "")], "without `..`"),
        (vec![link(EntryType::Link, "a", "nowhere")], "a hard link to nowhere, which is not there"),
        (vec![folder("d"), link(EntryType::Link, "a", "d")], "a: a hard link to a folder"),
        (vec![link(EntryType::Symlink, "s", "/etc"), file("s/x", "")], "s/x: s is no folder"),
        (vec![made(EntryType::GNUSparse, "hole")], "hole: an entry of the type GNUSparse"),
        (vec![Made { kind: EntryType::new(b'Q'), ..file("odd", "") }], "odd: an entry of the type"),
    ] {
        refused(&of(&[layer(&entries)]), word);
    }
    let mut tar = tar::Builder::new(Vec::new());
    tar.append_pax_extensions([("GNU.sparse.major", b"1".as_slice())]).unwrap();
    let mut header = layer::header(EntryType::Regular, b"hole");
    header.set_cksum();
    tar.append(&header, &b""[..]).unwrap();
    refused(&of(&[tar.into_inner().unwrap()]), "a PAX record that is not known: GNU.sparse.major");

    // archives that do not hold what they claim
    let good = [layer(&[file("a", "A")])];
    let write = |files: &[Made]| {
        let path = scratch.0.join("archive.tar");
        fs::write(&path, archive_of(files)).unwrap();
        path
    };
    let ids = |id: &str| config(&[id.to_owned()]).to_string();
    let id = hash::bytes(&good[0]).to_string();
    let named = |config: String, layer: Made, listed: Value| {
        write(&[
            bytes("c.json", config.into()),
            layer,
            bytes("manifest.json", listed.to_string().into()),
        ])
    };
    let one = || json!([{ "Config": "c.json", "Layers": ["l"] }]);
    let content = || bytes("l", good[0].clone());
    let cut = of(&good);
    let bytes_of_it = fs::read(&cut).unwrap();
    fs::write(&cut, &bytes_of_it[..bytes_of_it.len() / 2]).unwrap();
    refused(&cut, "");
    refused(
        &named(ids(hash::text("other").to_string().as_str()), content(), one()),
        "layer l: expected sha256:",
    );
    refused(&named(ids(&id), link(EntryType::Symlink, "l", "l"), one()), "l is a circle of links");
    refused(
        &named(ids(&id), link(EntryType::Symlink, "l", "/etc/passwd"), one()),
        "the archive has no etc/passwd",
    );
    refused(
        &named(ids(&id), bytes("l", b"\x28\xb5\x2f\xfdx".to_vec()), one()),
        "compressed with zstd",
    );
    refused(&named(ids(&id), bytes("l", b"\x1f\x8bx".to_vec()), one()), "cannot unpack a layer");
    refused(&named("{".into(), content(), one()), "configuration is not JSON");
    refused(&named("{}".into(), content(), one()), "no rootfs.diff_ids");
    let two =
        json!([{ "Config": "c.json", "Layers": ["l"] }, { "Config": "c.json", "Layers": ["l"] }]);
    refused(&named(ids(&id), content(), two), "expected one image in the archive, found 2");
    let more = json!([{ "Config": "c.json", "Layers": ["l", "l"] }]);
    refused(&named(ids(&id), content(), more), "has 1 layers, and manifest.json 2");
    refused(&write(&[content()]), "the archive has no manifest.json");
    refused(Path::new("/dev/zero"), "expected a regular file");
}
