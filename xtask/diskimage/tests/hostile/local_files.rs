//! Files of this machine.

use super::*;

#[test]
fn what_is_no_regular_file_is_refused() {
    for path in ["/dev/null", "/dev/zero", "/proc/self/status", "/proc/self/fd"] {
        let error = diskimage::source::LocalFile::open(path.as_ref()).err().unwrap();
        assert!(error.to_string().contains("copy it to a file first"), "{path}: {error}");
    }
}

#[test]
fn attributes_of_files_of_this_machine_are_read() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile-attributes");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("file"), "text").unwrap();
    match xattr::set(folder.join("file"), "user.note", b"value") {
        Err(error) if error.kind() == std::io::ErrorKind::Unsupported => return,
        set => set.unwrap(),
    }
    let tree = diskimage::Folder::open(&folder);
    let (_, node) = root(&tree).pop().unwrap();
    assert_eq!(node.metadata.kind, Kind::File);
    let expected = (b"user.note".to_vec(), b"value".to_vec());
    assert!(node.metadata.xattrs.contains(&expected), "{:?}", node.metadata.xattrs);
}
