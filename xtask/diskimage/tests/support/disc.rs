//! Makes an ISO 9660 image whose records say anything.

const SECTOR: usize = 2048;

/// A number in both byte orders.
pub fn both32(number: u32) -> Vec<u8> {
    [number.to_le_bytes(), number.to_be_bytes()].concat()
}

/// A directory record.
pub fn record(name: &[u8], sector: u32, len: u32, folder: bool, system_use: &[u8]) -> Vec<u8> {
    let mut record = vec![0, 0];
    record.extend(both32(sector));
    record.extend(both32(len));
    record.extend([120, 1, 1, 0, 0, 0, 0, if folder { 2 } else { 0 }, 0, 0, 1, 0, 0, 1]);
    record.push(name.len() as u8);
    record.extend(name);
    if record.len() % 2 == 1 {
        record.push(0);
    }
    record.extend(system_use);
    record[0] = record.len() as u8;
    record
}

/// A system use entry.
pub fn entry(name: &[u8; 2], content: &[u8]) -> Vec<u8> {
    [name, &[content.len() as u8 + 4, 1][..], content].concat()
}

/// A system use entry that names a continuation area.
pub fn continuation(sector: u32, offset: u32, len: u32) -> Vec<u8> {
    entry(b"CE", &[both32(sector), both32(offset), both32(len)].concat())
}

/// The records of a folder, none over the end of a sector.
pub fn records(records: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes: Vec<u8> = Vec::new();
    for record in records {
        if bytes.len() % SECTOR + record.len() > SECTOR {
            bytes.resize(bytes.len().next_multiple_of(SECTOR), 0);
        }
        bytes.extend(record);
    }
    bytes.resize(bytes.len().next_multiple_of(SECTOR), 0);
    bytes
}

/// The system use area of the root's first record, which says that there is Rock Ridge.
pub fn rock_ridge() -> Vec<u8> {
    entry(b"SP", &[0xbe, 0xef, 0])
}

/// An image with the root's records at sector 18 and `more` behind them.
pub fn image(root: &[u8], more: &[u8]) -> Vec<u8> {
    let mut image = vec![0; 16 * SECTOR];
    let mut volume = vec![0; SECTOR];
    volume[..7].copy_from_slice(b"\x01CD001\x01");
    volume[128..132].copy_from_slice(&[0, 8, 8, 0]);
    let record = record(&[0], 18, root.len() as u32, true, &[]);
    volume[156..156 + record.len()].copy_from_slice(&record);
    image.extend(volume);
    let mut end = vec![0; SECTOR];
    end[..7].copy_from_slice(b"\xffCD001\x01");
    image.extend(end);
    image.extend(root);
    image.extend(more);
    image
}

/// The first two records of a folder in `sector`.
pub fn dots(sector: u32, len: u32, rock_ridge: &[u8]) -> [Vec<u8>; 2] {
    [record(&[0], sector, len, true, rock_ridge), record(&[1], 18, len, true, &[])]
}
