import{E as e,S as t,U as n,Y as r,b as i,c as a,g as o,h as s,k as c,q as l,s as u}from"./session-booking.js";var d={duration:`Duration`,anyCoach:`Any coach`,payment:`Payment`,credit:(e,t)=>`${e}: ${t}`,bundle:`Bundle`,byCredits:{one:`Paid with a session of your bundle`,other:`Paid with {n} sessions of your bundle`},lateCredit:`A late cancellation uses up the session of your bundle.`,noPayment:`This course has nothing on sale for this duration.`,credits:{one:`{n} session left`,other:`{n} sessions left`}},f={duration:`Dauer`,anyCoach:`Alle Coaches`,payment:`Bezahlung`,credit:(e,t)=>`${e}: ${t}`,bundle:`Paket`,byCredits:{one:`Mit einer Sitzung Ihres Pakets bezahlt`,other:`Mit {n} Sitzungen Ihres Pakets bezahlt`},lateCredit:`Bei später Stornierung ist die Sitzung Ihres Pakets verbraucht.`,noPayment:`Für diese Dauer gibt es in diesem Kurs kein Angebot.`,credits:{one:`noch {n} Sitzung`,other:`noch {n} Sitzungen`}};function p(e){return c(`course`,{en:d,de:f},e)}async function m(e,t,n){let r={open:!0,signal:n},{mentorId:i}=t,o=t.courseId??``,[{course:s,products:c},l,d]=await Promise.all([e.get(`/courses/${o}/support-options`,{},r),u(e,`/mentors`,{courseId:o},r),u(e,`/listings`,{courseId:o},r)]),f=l.map(e=>a(e,d)).filter(({mentor:e})=>!i||e.id===i);return{course:s,products:c.filter(e=>e.active),offers:f}}function h(e){let t=e.flatMap(e=>e.listings.map(e=>e.durationMinutes));return[...new Set(t)].sort((e,t)=>e-t)}async function g({client:e,store:t},r,i){let a=(await u(e,`/bundles`,{},{signal:i}).catch(()=>[])).filter(({courseId:e,status:n})=>e===t.state.course?.id&&n===`active`);t.update({bundles:a});let o=_(t.state),s=r??n(t.state.payment);t.update({payment:o.find(e=>n(e)===s)??o[0]??null})}function _(e){let t=t=>t===null||t===e.durationMinutes,n=e.bundles.filter(n=>{let r=e.products.find(e=>e.id===n.productId);return!r||t(r.durationMinutes)}),r=e.products.filter(e=>e.kind===`single`&&t(e.durationMinutes));return[...n.map(e=>({kind:`bundle`,bundle:e})),...r.map(e=>({kind:`product`,product:e}))]}function v({course:e,payment:t}){let n=t?.kind===`bundle`?{bundlePurchaseId:t.bundle.id}:{productId:t?.product.id};return{courseId:e?.id,...n}}function y(e,t){return s(e,t,p(e).byCredits)}function b(t){let{words:n,state:i,flow:a}=t,s=p(t),c=h(i.offers);return r`<div class="columns" ?hidden=${i.slot!==null}>
    ${c.length>1?r`<label class="field"
          ><span>${s.duration}</span>
          <select data-value=${i.durationMinutes} @change=${t=>a.chooseDuration(Number(e(t)))}>
            ${c.map(e=>r`<option value=${e}>
                  ${o(t,e)}
                </option>`)}
          </select></label
        >`:l}
    ${i.offers.length>1?r`<label class="field"
          ><span>${n.card.coach}</span>
          <select data-value=${i.mentorId??``} @change=${t=>a.chooseMentor(e(t)||null)}>
            <option value="">${s.anyCoach}</option>
            ${i.offers.map(({mentor:e})=>r`<option value=${e.id}>${e.name}</option>`)}
          </select></label
        >`:l}
  </div>`}function x(e){return r`${S(e)} ${C(e)}`}function S({words:t,state:n,flow:i}){let a=n.offers.filter(({mentor:e})=>n.slot?.mentorProfileIds.includes(e.id));return a.length<2?l:r`<label class="field"
    ><span>${t.card.coach}</span>
    <select data-value=${n.slotMentorId} @change=${t=>i.chooseSlotMentor(e(t))}>
      ${a.map(({mentor:e})=>r`<option value=${e.id}>${e.name}</option>`)}
    </select></label
  >`}function C(e){let{state:t,flow:a}=e,o=p(e),s=_(t);return s.length?s.length===1?l:r`<fieldset class="offers">
    <legend>${o.payment}</legend>
    ${s.map(i=>r`<label class="offer"
        ><input
          type="radio"
          name="payment"
          .checked=${n(i)===n(t.payment)}
          @change=${()=>a.choosePayment(i)}
        />
        ${w(e,i)}</label
      >`)}
  </fieldset>`:i(`warning`,o.noPayment)}function w(e,n){let{state:i}=e,a=p(e);if(n.kind===`product`)return r`<span><b>${n.product.title}</b></span><b class="price">${t(e,n.product.price)}</b>`;let{productId:o,remainingSessions:c}=n.bundle,l=i.products.find(e=>e.id===o)?.title??a.bundle;return r`<span>${a.credit(l,s(e,c,a.credits))}</span>`}export{p as courseWords,y as creditsText,h as durationsOf,m as loadCourse,v as paymentOf,_ as paymentsFor,g as proposePayment,b as renderChoice,x as renderFields};