-- engine_version: which library answers.
--
-- args    none
-- reply   map   major minor  integers; hash  text, of the library's content
-- errors  none
-- keys    none
operation('engine_version', 'read', function()
  return { map = { major = tonumber(ENGINE_MAJOR), minor = tonumber(ENGINE_MINOR), hash = ENGINE_HASH } }
end)
