-- uses: notices
-- All notices.
-- Returns of each what add_notices adds
local answer = {}
add_notices(answer)
return answer
