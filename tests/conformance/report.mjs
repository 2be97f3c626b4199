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
  const tallies = Object.fromEntries(stores.map(store => [store, tally(results[store])]))
  const sum = ['all', ...columns.map(([store, kind]) => {
    const { passed, of } = tallies[store][kind]
    return `${passed}/${of}`
  })]
  const table = [['suite', ...heads], ...rows, sum]
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
  const ours = tests.filter(test => test.suite === suite && test.kind === kind)
  if (ours.length === 0) return ''
  return `${ours.filter(test => isPass(results[test.id])).length}/${ours.length}`
}

function because ({ why }) {
  return why ? ` (${why})` : ''
}
