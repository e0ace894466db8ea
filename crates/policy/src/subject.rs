//! The person as far as a policy needs to know them: an age band and a place, never a birth month.

use std::fmt;

use crate::document::Place;

/// The person whose data it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// The age band; `None` while it is unknown, which counts as a child.
    pub age: Option<AgeBand>,
    /// The residence; `None` while it is unknown, which counts as every place at once.
    pub place: Option<Place>,
}

/// A month of the Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(i32);

impl Month {
    /// The month `month` (1 to 12) of `year`.
    ///
    /// Returns `None` outside the years 1900 to 2200 or the months 1 to 12.
    #[must_use]
    pub fn new(year: i32, month: u8) -> Option<Self> {
        ((1900..=2200).contains(&year) && (1..=12).contains(&month)).then(|| Self(year * 12 + i32::from(month) - 1))
    }

    /// Reads `2014-03`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('-')?;
        (year.len() == 4 && month.len() == 2).then_some(())?;
        Self::new(year.parse().ok()?, month.parse().ok()?)
    }

    /// The month that holds a moment, in UTC. The moment is in milliseconds since 1970.
    #[must_use]
    pub fn at(wall_ms: i64) -> Self {
        // Days to a civil date, proleptic Gregorian (H. Hinnant, chrono-compatible low-level date algorithms).
        let days = wall_ms.div_euclid(86_400_000) + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self(i32::try_from((year * 12 + month - 1).clamp(0, 120_000)).unwrap_or(0))
    }

    /// The first moment of the month, in UTC, in milliseconds since 1970.
    #[must_use]
    pub fn start_ms(self) -> i64 {
        let (year, month) = (i64::from(self.0.div_euclid(12)), i64::from(self.0.rem_euclid(12)) + 1);
        let year = year - i64::from(month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        (era * 146_097 + day_of_era - 719_468) * 86_400_000
    }

    pub(crate) fn plus(self, months: i32) -> Self {
        Self(self.0.saturating_add(months))
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0.div_euclid(12), self.0.rem_euclid(12) + 1)
    }
}

/// An age as a band between two thresholds, and when the upper one is surely passed. It is all that is kept
/// of a birth month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgeBand {
    /// The person is surely this old, in full years.
    pub from: u8,
    /// The threshold that the person has not surely passed; `None` above the highest one.
    pub below: Option<Threshold>,
}

/// An age, and the month in which the person has surely reached it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    /// The age in full years.
    pub age: u8,
    /// The first month in which the person is surely that old.
    pub month: Month,
}

impl AgeBand {
    /// The band of a person born in a month, cut at the given ages.
    ///
    /// The day of birth is unknown, so a birthday counts as passed in the month after it.
    #[must_use]
    pub fn of(born: Month, now: Month, thresholds: &[u8]) -> Self {
        let surely_old_at = |age: u8| born.plus(i32::from(age) * 12 + 1);
        let from = thresholds.iter().copied().filter(|age| surely_old_at(*age) <= now).max().unwrap_or(0);
        let below = thresholds
            .iter()
            .copied()
            .filter(|age| surely_old_at(*age) > now)
            .min()
            .map(|age| Threshold { age, month: surely_old_at(age) });
        Self { from, below }
    }

    /// The age, in full years, that the person has surely reached.
    #[must_use]
    pub fn at_least(&self, now: Month) -> u8 {
        match self.below {
            Some(next) if now >= next.month => {
                let years = (now.0 - next.month.0).div_euclid(12).clamp(0, 200);
                next.age.saturating_add(u8::try_from(years).unwrap_or(u8::MAX))
            }
            _ => self.from,
        }
    }

    /// The month in which the person is surely older than now: that of the threshold, and once it is passed each
    /// anniversary of it. `None` above the highest threshold.
    #[must_use]
    pub fn next_change(&self, now: Month) -> Option<Month> {
        let next = self.below?;
        let years_after = if now < next.month { 0 } else { (now.0 - next.month.0).div_euclid(12) + 1 };
        Some(next.month.plus(years_after * 12))
    }

    /// The age, in full years, that the person has surely not passed; 255 where none is known.
    #[must_use]
    pub fn at_most(&self, now: Month) -> u8 {
        self.below.filter(|next| now < next.month).map_or(u8::MAX, |next| next.age.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_birthday_counts_as_passed_in_the_month_after_it() {
        let born = Month::parse("2014-03").unwrap();
        let band = |now: &str| AgeBand::of(born, Month::parse(now).unwrap(), &[13, 14, 16, 18]);
        assert_eq!(band("2027-03").from, 0);
        assert_eq!(band("2027-03").below.unwrap().month.to_string(), "2027-04");
        assert_eq!(band("2027-04").from, 13);
    }

    #[test]
    fn a_kept_band_grows_up_by_itself() {
        let band = AgeBand::of(Month::parse("2014-03").unwrap(), Month::parse("2026-11").unwrap(), &[13, 16]);
        assert_eq!(band.at_least(Month::parse("2027-03").unwrap()), 0);
        assert_eq!(band.at_least(Month::parse("2027-04").unwrap()), 13);
        assert_eq!(band.at_least(Month::parse("2030-03").unwrap()), 15);
        assert_eq!(band.at_least(Month::parse("2030-04").unwrap()), 16);
        let next_change = |now| band.next_change(Month::parse(now).unwrap()).unwrap().to_string();
        assert_eq!(next_change("2026-11"), "2027-04");
        assert_eq!(next_change("2027-04"), "2028-04");
        assert_eq!(next_change("2030-03"), "2030-04");
    }

    #[test]
    fn months_and_moments_agree() {
        for (text, ms) in [("1970-01", 0), ("2000-03", 951_868_800_000), ("2024-02", 1_706_745_600_000)] {
            let month = Month::parse(text).unwrap();
            assert_eq!(month.start_ms(), ms);
            assert_eq!(Month::at(ms), month);
            assert_ne!(Month::at(ms - 1), month);
        }
        for index in 1900 * 12..2200 * 12 {
            assert_eq!(Month::at(Month(index).start_ms()), Month(index));
        }
    }
}
