-- uses: time
-- Returns the time of this partition's Redis, in milliseconds since 1970.
return string.format('%.0f', now())
