-- A moment in milliseconds since 1970, as RFC 3339 in UTC: frames have it as `expires_at`. Days become a date by Howard Hinnant's
-- algorithm `civil_from_days`, whose years begin in March.
local function stamp(ms)
  local floor = math.floor
  local days, rest = floor(ms / 86400000) + 719468, ms % 86400000
  local era = floor(days / 146097)
  local day_of_era = days - era * 146097
  local year = floor((day_of_era - floor(day_of_era / 1460) + floor(day_of_era / 36524) - floor(day_of_era / 146096)) / 365)
  local day = day_of_era - (365 * year + floor(year / 4) - floor(year / 100))
  local month = floor((5 * day + 2) / 153)
  day = day - floor((153 * month + 2) / 5) + 1
  month = month < 10 and month + 3 or month - 9
  year = year + era * 400 + (month <= 2 and 1 or 0)
  -- `%d` leaves fractions out, and takes less time than a format of them.
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%03dZ', year, month, day, rest / 3600000, rest / 60000 % 60, rest / 1000 % 60, rest % 1000)
end
