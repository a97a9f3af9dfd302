#![no_main]

use layers::disk::Disk;
use layers::source::Bytes;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(Some(disk)) = Disk::read(&Bytes(data.to_vec())) {
        let _fields = disk.fields();
    }
});
