// What is printed.

import { isPass, kinds, tests } from './tally.mjs'
import { tally } from './results.mjs'

export function printTable (results) {
  const stores = Object.keys(results)
  const columns = stores.flatMap(store => kinds.map(kind => [store, kind]))
  const heads = columns.map(([store, kind]) => `${store} ${kind}`)
  const rows = [...new Set(tests.map(test => test.suite))].map(suite => [
    suite, ...columns.map(([store, kind]) => passed(results[store], kind, suite))
  ])
  // Surrogate-Control is of a note, not of HTTP.
  const http = tests.filter(test => test.suite !== 'surrogate-control')
  const sums = [['all of HTTP', http], ['all', tests]].map(([name, of]) => [
    name, ...columns.map(([store, kind]) => counted(tally(results[store], of)[kind]))
  ])
  const table = [['suite', ...heads], ...rows, ...sums]
  const widths = table[0].map((_, index) => Math.max(...table.map(row => row[index].length)))
  for (const row of table) {
    console.log(row.map((cell, index) => index === 0
      ? cell.padEnd(widths[0])
      : cell.padStart(widths[index])).join('  '))
  }
}

export function printFailures (results) {
  for (const test of tests) {
    if (test.kind === 'check') continue
    for (const [store, of] of Object.entries(results)) {
      const result = of[test.id]
      if (isPass(result)) continue
      console.log(`${store} ${test.kind} ${test.id}: ${result.verdict}${because(result)}`)
    }
  }
}

export function printChanges (changes) {
  for (const [kind, list] of Object.entries(changes)) {
    for (const { store, id, was, is, why } of list) {
      console.log(`${kind}: ${store} ${id}: ${was} → ${is}${because({ why })}`)
    }
  }
}

function passed (results, kind, suite) {
  const sum = tally(results, tests.filter(test => test.suite === suite))[kind]
  return sum.of === 0 ? '' : counted(sum)
}

function counted ({ passed, of }) {
  return `${passed}/${of}`
}

function because ({ why }) {
  return why ? ` (${why})` : ''
}
