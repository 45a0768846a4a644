//! CRC-32/MPEG-2, which ends every PSI section (ISO/IEC 13818-1 Annex A).

/// Polynomial 0x04C11DB7, not reflected, initial value all ones, no final inversion.
const POLYNOMIAL: u32 = 0x04c1_1db7;

const TABLE: [u32; 256] = table();

#[cfg_attr(
    not(test),
    expect(
        clippy::indexing_slicing,
        reason = "evaluated at compile time, below the length that the loop checks"
    )
)]
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < table.len() {
        let mut crc = (index as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000_0000 == 0 {
                crc << 1
            } else {
                crc << 1 ^ POLYNOMIAL
            };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
}

/// The CRC of `section`. Over a section that ends with its own CRC it is zero.
pub(crate) fn crc32(section: &[u8]) -> u32 {
    section.iter().fold(u32::MAX, |crc, &byte| {
        let index = (crc >> 24) as u8 ^ byte;
        #[expect(
            clippy::indexing_slicing,
            reason = "a u8 indexes a table of 256 entries"
        )]
        let entry = TABLE[usize::from(index)];
        crc << 8 ^ entry
    })
}

#[cfg(test)]
mod tests {
    use super::crc32;

    #[test]
    fn check_value_of_the_catalogue() {
        // "CRC-32/MPEG-2" in the CRC RevEng catalogue: check value for the ASCII digits 1 to 9.
        assert_eq!(crc32(b"123456789"), 0x0376_e6e7);
    }

    #[test]
    fn a_section_with_its_crc_has_residue_zero() {
        let mut section = b"program map".to_vec();
        section.extend_from_slice(&crc32(&section).to_be_bytes());
        assert_eq!(crc32(&section), 0);
    }
}
