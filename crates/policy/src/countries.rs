//! The countries and territories that have a code.

/// The codes of ISO 3166-1 alpha-2 that are officially assigned, in order: those of `iso3166.tab` in the time zone
/// database (release 2025b, in the public domain), which follows ISO/TC 46 N1108 of 2023-04-05. Codes that are reserved or
/// left to users (`EU`, `UK`, `XK`, `XX`, `ZZ`) are none.
const ASSIGNED: &[u8] = b"\
    ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBS\
    BTBVBWBYBZCACCCDCFCGCHCICKCLCMCNCOCRCUCVCWCXCYCZDEDJDKDMDODZECEE\
    EGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQGRGSGTGUGWGYHKHM\
    HNHRHTHUIDIEILIMINIOIQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLC\
    LILKLRLSLTLULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNA\
    NCNENFNGNINLNONPNRNUNZOMPAPEPFPGPHPKPLPMPNPRPSPTPWPYQARERORSRURW\
    SASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTKTLTMTNTO\
    TRTTTVTWTZUAUGUMUSUYUZVAVCVEVGVIVNVUWFWSYEYTZAZMZW";

/// Whether two letters are the code of a country or territory.
pub(crate) fn is_country(code: &str) -> bool {
    ASSIGNED.as_chunks::<2>().0.binary_search_by(|known| known.as_slice().cmp(code.as_bytes())).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_assigned_codes_are_countries_and_no_others() {
        let letters = || b'A'..=b'Z';
        let pairs = letters().flat_map(|one| letters().map(move |two| String::from_utf8(vec![one, two]).unwrap()));
        assert_eq!(pairs.filter(|pair| is_country(pair)).count(), 249);
        for none in ["XX", "ZZ", "EU", "UK", "XK", "AN", "de", "D", "", "DEU"] {
            assert!(!is_country(none), "{none}");
        }
    }
}
