#!/usr/bin/env node
// The program `manyhands`.
import { command } from "./command.js";

process.exitCode = await command(process.argv.slice(2));
