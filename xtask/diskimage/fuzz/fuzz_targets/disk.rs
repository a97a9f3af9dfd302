#![no_main]

use diskimage::disk::Disk;
use diskimage::source::Bytes;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(Some(disk)) = Disk::read(&Bytes(data.to_vec())) {
        let _fields = disk.fields();
    }
});
