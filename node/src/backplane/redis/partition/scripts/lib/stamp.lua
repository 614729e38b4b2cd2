-- A moment in milliseconds since 1970, as RFC 3339 in UTC: frames have it as `expires_at`. Days become a date by Howard Hinnant's
-- algorithm `civil_from_days`, whose years begin in March. A whole quotient is written as `(a - a % b) / b`, and `%d` leaves fractions out:
-- both take less time than a call of `math.floor` and a format of fractions.
local function stamp(ms)
  local rest = ms % 86400000
  local days = (ms - rest) / 86400000 + 719468
  local day_of_era = days % 146097
  local era = (days - day_of_era) / 146097
  local leaps = day_of_era - day_of_era % 1460
  local centuries, last = day_of_era - day_of_era % 36524, day_of_era - day_of_era % 146096
  local year = day_of_era - leaps / 1460 + centuries / 36524 - last / 146096
  year = (year - year % 365) / 365
  local day = day_of_era - 365 * year - (year - year % 4) / 4 + (year - year % 100) / 100
  local month = 5 * day + 2
  month = (month - month % 153) / 153
  local days_before = 153 * month + 2
  day = day - (days_before - days_before % 5) / 5 + 1
  month = month < 10 and month + 3 or month - 9
  year = year + era * 400 + (month <= 2 and 1 or 0)
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%03dZ', year, month, day, rest / 3600000, rest / 60000 % 60, rest / 1000 % 60, rest % 1000)
end
