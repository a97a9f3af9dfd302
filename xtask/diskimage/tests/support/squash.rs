//! Makes a squashfs whose inodes say anything. Nothing in it is compressed.

/// Bytes of a block of data.
const BLOCK: u32 = 4096;

/// No fragment, no attributes.
pub const NONE: u32 = u32::MAX;

/// A squashfs in the making.
#[derive(Default)]
pub struct Squash {
    data: Vec<u8>,
    inodes: Vec<u8>,
    folders: Vec<u8>,
    /// Key, name and value of the attributes of list 0.
    attributes: Vec<u8>,
    attribute_count: u32,
}

/// The claims of a file's inode.
#[derive(Clone, Copy)]
pub struct Claims {
    pub number: u32,
    pub links: u32,
    pub size: u64,
    pub xattrs: u32,
}

/// Stored place of a position in the unpacked metadata.
fn place(at: usize) -> (u64, u16) {
    ((at / 8192 * 8194) as u64, (at % 8192) as u16)
}

fn metadata(bytes: &[u8]) -> Vec<u8> {
    let mut stored = Vec::new();
    for block in bytes.chunks(8192) {
        stored.extend((0x8000 | block.len() as u16).to_le_bytes());
        stored.extend(block);
    }
    stored
}

impl Squash {
    /// The reference of the next inode, which begins with these fields.
    fn inode(&mut self, kind: u16, number: u32) -> u64 {
        let (block, within) = place(self.inodes.len());
        for half in [kind, 0o755, 0, 0] {
            self.inodes.extend(half.to_le_bytes());
        }
        self.inodes.extend(0_u32.to_le_bytes());
        self.inodes.extend(number.to_le_bytes());
        block << 16 | u64::from(within)
    }

    /// A file with these bytes, all in blocks of their own.
    pub fn file(&mut self, bytes: &[u8], number: u32, links: u32) -> u64 {
        let start = 96 + self.data.len() as u64;
        self.data.extend(bytes);
        let sizes: Vec<u32> =
            bytes.chunks(BLOCK as usize).map(|block| 1 << 24 | block.len() as u32).collect();
        let claims = Claims { number, links, size: bytes.len() as u64, xattrs: NONE };
        self.claimed(claims, start, &sizes)
    }

    /// Adds bytes that belong to no file.
    pub fn between(&mut self, bytes: &[u8]) {
        self.data.extend(bytes);
    }

    /// A file that claims anything.
    pub fn claimed(&mut self, claims: Claims, start: u64, sizes: &[u32]) -> u64 {
        let reference = self.inode(9, claims.number);
        for long in [start, claims.size, 0] {
            self.inodes.extend(long.to_le_bytes());
        }
        for word in [claims.links, NONE, 0, claims.xattrs].iter().chain(sizes) {
            self.inodes.extend(word.to_le_bytes());
        }
        reference
    }

    /// A folder with these entries; type 1 is a folder, 2 a file.
    pub fn folder(&mut self, entries: &[(String, u64, u16)]) -> u64 {
        let (start, offset) = place(self.folders.len());
        let before = self.folders.len();
        for (name, reference, kind) in entries {
            // a header of its own for each
            for word in [0, (reference >> 16) as u32, 1] {
                self.folders.extend(word.to_le_bytes());
            }
            for half in [(reference & 0xffff) as u16, 0, *kind, name.len() as u16 - 1] {
                self.folders.extend(half.to_le_bytes());
            }
            self.folders.extend(name.bytes());
        }
        let len = (self.folders.len() - before + 3) as u32;
        let reference = self.inode(8, 1);
        for word in [2, len, start as u32, 1] {
            self.inodes.extend(word.to_le_bytes());
        }
        self.inodes.extend(0_u16.to_le_bytes());
        self.inodes.extend(offset.to_le_bytes());
        self.inodes.extend(NONE.to_le_bytes());
        reference
    }

    /// Adds an attribute to list 0.
    pub fn attribute(&mut self, name: &str, value: &[u8]) {
        self.attributes.extend(0_u16.to_le_bytes());
        self.attributes.extend((name.len() as u16).to_le_bytes());
        self.attributes.extend(name.bytes());
        self.attributes.extend((value.len() as u32).to_le_bytes());
        self.attributes.extend(value);
        self.attribute_count += 1;
    }

    pub fn finish(self, root: u64) -> Vec<u8> {
        let mut image = vec![0; 96];
        image.extend(&self.data);
        let inode_table = image.len() as u64;
        image.extend(metadata(&self.inodes));
        let folder_table = image.len() as u64;
        image.extend(metadata(&self.folders));
        let owner = image.len() as u64;
        image.extend(metadata(&[0; 4]));
        let owners = image.len() as u64;
        image.extend(owner.to_le_bytes());
        let mut xattr_table = u64::MAX;
        if self.attribute_count > 0 {
            let lists = image.len() as u64;
            image.extend(metadata(&self.attributes));
            let list = image.len() as u64;
            let mut entry = 0_u64.to_le_bytes().to_vec();
            entry.extend(self.attribute_count.to_le_bytes());
            entry.extend((self.attributes.len() as u32).to_le_bytes());
            image.extend(metadata(&entry));
            xattr_table = image.len() as u64;
            image.extend(lists.to_le_bytes());
            image.extend(1_u32.to_le_bytes());
            image.extend(0_u32.to_le_bytes());
            image.extend(list.to_le_bytes());
        }
        let mut head = b"hsqs".to_vec();
        for word in [10, 0, BLOCK, 0] {
            head.extend(u32::to_le_bytes(word));
        }
        // gzip, block size 2^12, flags: nothing compressed; one owner; version 4.0
        for half in [1, 12, 0x000b, 1, 4, 0] {
            head.extend(u16::to_le_bytes(half));
        }
        let used = image.len() as u64;
        let none = u64::MAX;
        for long in [root, used, owners, xattr_table, inode_table, folder_table, none, none] {
            head.extend(u64::to_le_bytes(long));
        }
        image[..96].copy_from_slice(&head);
        image
    }
}
