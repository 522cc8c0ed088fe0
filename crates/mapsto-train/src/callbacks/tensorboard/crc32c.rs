//! CRC-32C (Castagnoli), the checksum of TFRecords, and its masked form.

/// The reflected polynomial.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// The checksum of each byte alone.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let (mut sum, mut bit) = (i as u32, 0);
        while bit < 8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ POLYNOMIAL } else { sum >> 1 };
            bit += 1;
        }
        table[i] = sum;
        i += 1;
    }
    table
};

fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| (sum >> 8) ^ TABLE[((sum ^ u32::from(*byte)) & 0xff) as usize])
}

/// As TFRecords hold it: rotated, and with a constant added, so that a checksum of bytes that hold checksums is one of its own.
pub(super) fn masked(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[test]
fn the_sums_of_rfc_3720() {
    let rising: Vec<u8> = (0..32).collect();
    let falling: Vec<u8> = (0..32).rev().collect();
    let sums = [&[0; 32][..], &[0xff; 32], &rising, &falling, b"123456789"].map(crc32c);
    assert_eq!(sums, [0x8a91_36aa, 0x62a8_ab43, 0x46dd_794e, 0x113f_db5c, 0xe306_9283]);
}
