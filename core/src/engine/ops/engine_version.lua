-- engine_version: which library answers.
--
-- args    none
-- reply   map   major minor  integers; hash  text, of the library's content
-- errors  INVALID_ARGUMENT
-- keys    none
operation('engine_version', 'read', function(argv)
  check.object(argv[3], 'args', {})
  return { map = { major = tonumber(ENGINE_MAJOR), minor = tonumber(ENGINE_MINOR), hash = ENGINE_HASH } }
end)
